// Which processes --all looks at, on real ones.
#include "fakes.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/target/match.h"

extern char **environ;

// Starts a program that waits in select and returns when it does.
static int start(const char *program, const char *option, const char *script)
{
    int pid;
    char *const argv[] = {(char *)program, (char *)option, (char *)script, NULL};
    if (posix_spawnp(&pid, program, NULL, NULL, argv, environ) != 0)
        return -1;
    usleep(500000);
    return pid;
}

static void end(int pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_a_shell_that_waits_for_input_has_no_loop(void **state)
{
    (void)state;
    int pid = start("bash", "-c", "exec 3<> <(:); read -t 20 -u 3");
    if (pid < 0)
        skip();
    assert_false(match_has_loop(pid));
    end(pid);
}

static void test_an_idle_epoll_is_a_loop(void **state)
{
    (void)state;
    struct world *w = world_new();
    assert_true(match_has_loop(w->pid));
    world_free(w);
}

// Every hierarchy this process is in below its root: by its path, by the folder where it is mounted, by the
// group above.
static void test_control_groups(void **state)
{
    (void)state;
    char line[512], group[600];
    FILE *f = fopen("/proc/self/cgroup", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        char *controllers = strchr(line, ':') + 1, *path = strchr(controllers, ':');
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        assert_true(match_cgroup(getpid(), path));
        snprintf(group, sizeof(group), "%s/", path);
        assert_true(match_cgroup(getpid(), group));
        snprintf(group, sizeof(group), "/sys/fs/cgroup/%s%s",
                 strncmp(controllers, "name=", 5) == 0 ? controllers + 5 : controllers,
                 *controllers ? path : path + 1);
        assert_true(match_cgroup(getpid(), group));
        snprintf(group, sizeof(group), "%s/below", path[1] ? path : "");
        assert_false(match_cgroup(getpid(), group));
        if (strrchr(path, '/') == path)
            continue;
        *strrchr(path, '/') = '\0';
        assert_true(match_cgroup(getpid(), path));
        path[strlen(path) - 1] = '\0'; // not a part of a name
        assert_false(match_cgroup(getpid(), path));
    }
    fclose(f);
    assert_false(match_unit(getpid(), "no-such-unit"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shell_that_waits_for_input_has_no_loop),
        cmocka_unit_test(test_control_groups),
        cmocka_unit_test(test_an_idle_epoll_is_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
