#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stacker.h"

extern char **environ;

#define REAP_TRIES 100 // of half a millisecond

// Own process group: ^C at the terminal is for the agent. No signal stays blocked or ignored.
static int spawn(pid_t *pid, int socket)
{
    char *const argv[] = {"loopscope", STACK_HELPER_ARG, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&files, socket, STACK_HELPER_FD);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    int err = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -err;
}

int lane_start(struct lane *l)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    int err = fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 ? spawn(&l->pid, pair[1]) : -errno;
    close(pair[1]);
    if (err < 0) {
        close(pair[0]);
        l->pid = 0;
        return err;
    }
    l->wire = (struct wire){.fd = pair[0]};
    l->generation++;
    l->started++;
    return 0;
}

static int64_t timeval_ns(struct timeval t)
{
    return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll;
}

static bool reap(struct lane *l, pid_t pid)
{
    struct rusage used = {0};
    if (wait4(pid, NULL, WNOHANG, &used) == 0)
        return false;
    l->cpu_ns_of_dead += timeval_ns(used.ru_utime) + timeval_ns(used.ru_stime);
    return true;
}

static void reap_ghosts(struct lane *l)
{
    int kept = 0;
    for (int i = 0; i < l->nghosts; i++)
        if (!reap(l, l->ghosts[i]))
            l->ghosts[kept++] = l->ghosts[i];
    l->nghosts = kept;
}

void lane_stop(struct lane *l)
{
    if (l->pid == 0)
        return;
    wire_reset(&l->wire);
    close(l->wire.fd);
    reap_ghosts(l);
    kill(l->pid, SIGKILL); // our own child, not reaped yet: the number is still its own
    // Usually gone at once. One that waits for a target's memory in the kernel must not hold us up.
    bool gone = false;
    for (int i = 0; i < REAP_TRIES && !(gone = reap(l, l->pid)); i++)
        usleep(500);
    if (!gone && l->nghosts < (int)(sizeof(l->ghosts) / sizeof(*l->ghosts)))
        l->ghosts[l->nghosts++] = l->pid;
    l->pid = 0;
}

static int read_proc(pid_t pid, const char *what, char *buf, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, buf, size - 1);
    close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return n > 0 ? 0 : -EIO;
}

int64_t lane_cpu_ns(const struct lane *l)
{
    char text[1024];
    unsigned long long user, kernel;
    if (l->pid == 0 || read_proc(l->pid, "stat", text, sizeof(text)) < 0)
        return l->cpu_ns_of_dead;
    const char *after = strrchr(text, ')'); // the name before may hold anything
    if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                         &kernel) != 2)
        return l->cpu_ns_of_dead;
    return l->cpu_ns_of_dead + (int64_t)(user + kernel) * (1000000000ll / sysconf(_SC_CLK_TCK));
}

int64_t lane_rss_anon(const struct lane *l)
{
    char text[4096];
    if (l->pid == 0 || read_proc(l->pid, "status", text, sizeof(text)) < 0)
        return 0;
    const char *line = strstr(text, "\nRssAnon:");
    return line ? strtoll(line + 9, NULL, 10) * 1024 : 0;
}
