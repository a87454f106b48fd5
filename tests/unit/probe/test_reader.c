// Reading another process's memory: right bytes, ends of mappings, and a process that lets nobody read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../agent/probe/reader.h"

#define MS 1000000LL

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void own_memory_is_read(void **state)
{
    (void)state;
    struct reader *r;
    char from[10000], to[10000] = {0};
    memset(from, 'x', sizeof(from));
    assert_int_equal(reader_open(&r), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(reader_read(r, getpid(), (uintptr_t)from, to, sizeof(to), 1000 * MS),
                         10000);
    assert_memory_equal(from, to, sizeof(to));
    reader_close(r);
}

static void a_read_stops_at_the_end_of_a_mapping(void **state)
{
    (void)state;
    struct reader *r;
    char to[16384];
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 2 * 4096, 4096);
    assert_int_equal(reader_open(&r), 0);
    uint64_t at = (uintptr_t)pages + 100;
    assert_int_equal(reader_read(r, getpid(), at, to, sizeof(to), 1000 * MS), 2 * 4096 - 100);
    assert_int_equal(reader_read(r, getpid(), 8, to, 8, 1000 * MS), -EFAULT);
    reader_close(r);
}

static void nobody_there_is_an_error(void **state)
{
    (void)state;
    struct reader *r;
    char to[8];
    assert_int_equal(reader_open(&r), 0);
    assert_int_equal(reader_read(r, 0x7ffffff0, 4096, to, 8, 1000 * MS), -ESRCH);
    reader_close(r);
}

// A page whose faults nobody answers: whoever reads it waits for good.
static void *dead_page(void)
{
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
        return NULL;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register reg = {.range = {(uintptr_t)page, 4096},
                                  .mode = UFFDIO_REGISTER_MODE_MISSING};
    return ioctl(fd, UFFDIO_REGISTER, &reg) ? NULL : page;
}

static void a_hung_read_is_given_up(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    int child = fork();
    if (!child) {
        void *page = dead_page();
        if (write(pipes[1], &page, sizeof(page)) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    void *page;
    assert_int_equal(read(pipes[0], &page, sizeof(page)), sizeof(page));
    if (!page) {
        kill(child, SIGKILL);
        printf("userfaultfd is not to be had here\n");
        skip();
    }
    struct reader *r;
    char to[8];
    assert_int_equal(reader_open(&r), 0);
    int64_t before = now();
    ssize_t n = reader_read(r, child, (uintptr_t)page, to, 8, 30 * MS);
    assert_int_equal(n, -ETIMEDOUT);
    assert_true(now() - before < 500 * MS);
    assert_int_equal(reader_read(r, getpid(), (uintptr_t)to, to, 8, 1000 * MS), 8); // goes on
    for (int i = 0; i < 20 && n != -EBUSY; i++)
        n = reader_read(r, child, (uintptr_t)page, to, 8, 5 * MS);
    assert_int_equal(n, -EBUSY); // but not with threads without end
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 200 && n == -EBUSY; i++) { // the hung ones come back
        usleep(10000);
        n = reader_read(r, getpid(), (uintptr_t)to, to, 8, 1000 * MS);
    }
    assert_int_equal(n, 8);
    reader_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_memory_is_read),
        cmocka_unit_test(a_read_stops_at_the_end_of_a_mapping),
        cmocka_unit_test(nobody_there_is_an_error),
        cmocka_unit_test(a_hung_read_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
