// Starts a child process. By posix_spawn, which shares the parent's memory until exec: a fork would copy the page tables,
// and hold the loop for as long as that takes (libuv's uv_spawn: half a second with 100 000 tasks).
#include "io.h"

#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const struct ls_process_options *o) // the child's PATH
{
    const char *path = o->env ? NULL : getenv("PATH");
    for (const char *const *e = o->env; e && *e; e++)
        if (!strncmp(*e, "PATH=", 5))
            path = *e + 5;
    return path ? path : _PATH_DEFPATH;
}

static int may_run(const char *file)
{
    struct stat st;
    if (stat(file, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) && access(file, X_OK) == 0 ? 0 : -EACCES;
}

// Looked up here, not by posix_spawnp: emulators and valgrind do not tell a failed exec to the parent.
static int find_program(const struct ls_process_options *o, char ret[PATH_MAX])
{
    const char *name = o->argv[0];
    int why = -ENOENT;
    if (strchr(name, '/')) {
        if (snprintf(ret, PATH_MAX, "%s", name) >= PATH_MAX)
            return -ENAMETOOLONG;
        return o->cwd && *name != '/' ? 0 : may_run(ret); // seen from its own folder
    }
    for (const char *path = path_of(o), *end; *path; path = *end ? end + 1 : end) {
        end = strchrnul(path, ':');
        int n = end == path ? snprintf(ret, PATH_MAX, "./%s", name)
                            : snprintf(ret, PATH_MAX, "%.*s/%s", (int)(end - path), path, name);
        int r = n >= PATH_MAX ? -ENAMETOOLONG : may_run(ret);
        if (r == 0)
            return 0;
        if (r == -EACCES)
            why = r;
    }
    return why;
}

static int set_stdio(posix_spawn_file_actions_t *actions, const enum ls_stdio how[3],
                     const int theirs[3])
{
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        if (how[i] == LS_STDIO_NULL)
            r = posix_spawn_file_actions_addopen(actions, i, "/dev/null", i ? O_RDWR : O_RDONLY, 0);
        else // onto itself: it stays open over exec
            r = posix_spawn_file_actions_adddup2(actions, how[i] == LS_STDIO_PIPE ? theirs[i] : i,
                                                 i);
    }
    return r;
}

// Signals as if it had been started by a shell, whatever this program does with them.
static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int r = posix_spawnattr_setsigdefault(attributes, &all);
    if (r == 0)
        r = posix_spawnattr_setsigmask(attributes, &none);
    return r ? r
             : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

int ls__child_start(const struct ls_process_options *o, const enum ls_stdio how[3],
                    const int theirs[3], pid_t *pid)
{
    char program[PATH_MAX];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r = find_program(o, program);
    if (r < 0)
        return r;
    if ((r = posix_spawn_file_actions_init(&actions)) != 0)
        return -r;
    if ((r = posix_spawnattr_init(&attributes)) != 0)
        goto free_actions;
    r = set_stdio(&actions, how, theirs);
    if (r == 0 && o->cwd)
        r = posix_spawn_file_actions_addchdir_np(&actions, o->cwd);
    if (r == 0)
        r = set_signals(&attributes);
    if (r == 0)
        r = posix_spawn(pid, program, &actions, &attributes, (char **)(uintptr_t)o->argv,
                        o->env ? (char **)(uintptr_t)o->env : environ);
    posix_spawnattr_destroy(&attributes);
free_actions:
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}
