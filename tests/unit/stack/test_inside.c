// A tree with links that lead everywhere: all of them end below its root.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inside.h"

static char folder[] = "/tmp/loopscope-inside-XXXXXX";

static void put_file(int at, const char *name, const char *text)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int make_tree(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(root, "root", 0700), 0);
    put_file(root, "secret", "outside");
    close(root);
    char path[64];
    snprintf(path, sizeof(path), "%s/root", folder);
    root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(root, "a", 0700), 0);
    assert_int_equal(mkdirat(root, "a/b", 0700), 0);
    put_file(root, "a/b/file", "inside");
    put_file(root, "secret", "inside");
    static const char *const links[][2] = {
        {"/a/b/file", "absolute"},
        {"../a/b/file", "a/relative"},
        {"/a", "folder"},
        {"loop", "loop"},
        {"../../secret", "a/up"},
        {"absolute", "twice"},
        {"/proc/self/root", "magic"},
    };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        assert_int_equal(symlinkat(links[i][0], root, links[i][1]), 0);
    close(root);
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static int try(const char *path)
{
    char place[64];
    snprintf(place, sizeof(place), "%s/root", folder);
    int root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = open_inside(root, path, O_RDONLY | O_CLOEXEC);
    close(root);
    return fd;
}

static void assert_reads(const char *path, const char *wanted)
{
    char text[16] = "";
    int fd = try(path);
    if (fd < 0)
        fail_msg("%s: %s", path, strerror(-fd));
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    assert_string_equal(text, wanted);
}

static void finds_what_is_there(void **state)
{
    (void)state;
    static const char *const paths[] = {"/a/b/file",      "a/b/file",  "//a/./b//file",
                                        "/a/../a/b/file", "/absolute", "/a/relative",
                                        "/folder/b/file", "/twice",    "/folder/../a/b/file"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_reads(paths[i], "inside");
}

static void nothing_leads_out(void **state)
{
    (void)state;
    assert_reads("/../secret", "inside");
    assert_reads("/../../../../secret", "inside");
    assert_reads("/a/up", "inside");
    assert_int_equal(try("/magic/etc/passwd"), -ENOENT); // there is no /proc in it
    assert_int_equal(try("/../root/secret"), -ENOENT);
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    char longer[5000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(try("/none"), -ENOENT);
    assert_int_equal(try("/a/b/file/more"), -ENOTDIR);
    assert_int_equal(try("/loop"), -ELOOP);
    assert_int_equal(try(longer), -ENAMETOOLONG);
    longer[300] = '\0';
    assert_int_equal(try(longer), -ENAMETOOLONG);
    assert_true(try("/") < 0);
    assert_true(try("") < 0);
    assert_true(try("/a/..") < 0);
}

// A walk closes all but what it returns.
static void keeps_no_descriptor(void **state)
{
    (void)state;
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = -1;
    close(before);
    for (int i = 0; i < 50; i++) {
        fd = try("/folder/b/file");
        close(fd);
        try("/loop");
        try("/a/b/none");
    }
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(after);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_there),
        cmocka_unit_test(nothing_leads_out),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(keeps_no_descriptor),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
