// Child processes: started by child.c, reaped when libuv tells of SIGCHLD, and none is left behind.
#include "io.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERM_NS LS_SEC(2) // from SIGTERM to SIGKILL

struct ls_process {
    uv_signal_t signal; // SIGCHLD
    struct owned owned;
    ls_stream *streams[3];
    struct list waiters; // struct waiter
    pid_t pid;
    int status;    // when it has ended
    uint32_t refs; // of its handle, of each task that waits
    bool listens, ended, freed;
};

static void unref(struct ls_process *p)
{
    if (--p->refs == 0)
        free(p);
}

static void handle_closed(uv_handle_t *handle)
{
    unref(list_entry(handle, struct ls_process, signal));
}

// -ECHILD when somebody else has reaped it: how it ended is not known then. -EAGAIN: it has not ended.
static int reap(pid_t pid, int options)
{
    int status, r;
    while ((r = waitpid(pid, &status, options)) < 0 && errno == EINTR)
        continue;
    if (r <= 0)
        return r < 0 ? -errno : -EAGAIN;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Some child has ended; perhaps ours.
static void on_sigchld(uv_signal_t *signal, int number)
{
    struct ls_process *p = list_entry(signal, struct ls_process, signal);
    (void)number;
    p->status = reap(p->pid, WNOHANG);
    if (p->status == -EAGAIN)
        return;
    uv_signal_stop(signal);
    p->ended = true;
    while (ls__wake_first(&p->waiters, 0))
        continue;
}

// ---- starting ----

// Descriptors of ours keep off the standard three, also in a program that has closed these: the child's are put there one
// after another. The descriptor in its new place, -1 with errno and the old one closed.
static int above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), why = errno;
    close(fd);
    errno = why;
    return higher;
}

static int open_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fds[i] = above_standard(fds[i]);
        if (fds[i] < 0) {
            int r = -errno;
            close(fds[!i]);
            return r;
        }
    }
    return 0;
}

// The child's end in theirs[which], ours in ours[which]; -1 none.
static int open_pipes(const enum ls_stdio how[3], int ours[3], int theirs[3])
{
    int fds[2];
    for (int i = 0; i < 3; i++)
        ours[i] = theirs[i] = -1;
    for (int i = 0; i < 3; i++) {
        if (how[i] != LS_STDIO_PIPE)
            continue;
        int r = open_pipe(fds);
        if (r < 0)
            return r;
        ours[i] = fds[i == 0];
        theirs[i] = fds[i != 0];
    }
    return 0;
}

static void close_all(const int fds[3])
{
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int wrap_pipes(struct ls_process *p, int ours[3])
{
    for (int i = 0; i < 3; i++) {
        if (ours[i] < 0)
            continue;
        int r = ls_stream_from_fd_at(NULL, &p->streams[i], ours[i]);
        if (r < 0)
            return r;
        ours[i] = -1;
        ls__stream_leave(p->streams[i], &p->streams[i]);
    }
    return 0;
}

// Listens before there is a child, so that its end is not missed.
static int listen_for_end(struct ls_process *p)
{
    int r = uv_signal_init(p->owned.loop->uv, &p->signal);
    if (r < 0)
        return r;
    p->listens = true;
    uv_unref((uv_handle_t *)&p->signal);
    return uv_signal_start(&p->signal, on_sigchld, SIGCHLD);
}

static void close_streams(struct ls_process *p)
{
    for (int i = 0; i < 3; i++)
        ls_close_at(NULL, p->streams[i]);
}

static void release_process(struct owned *o)
{
    ls_process_free_at(NULL, list_entry(o, struct ls_process, owned));
}

int ls_process_start_at(struct ls_site *site, ls_process **ret, const struct ls_process_options *o)
{
    int ours[3], theirs[3];
    *ret = NULL;
    if (!ls__loop)
        return ls__wrong_loop(site, "ls_process_start");
    if (!o || !o->argv || !o->argv[0])
        return -EINVAL;
    const enum ls_stdio how[3] = {o->in, o->out, o->err};
    struct ls_process *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    list_init(&p->waiters);
    p->refs = 1;
    p->owned.loop = ls__loop;
    int r = open_pipes(how, ours, theirs);
    if (r == 0)
        r = wrap_pipes(p, ours);
    if (r == 0)
        r = listen_for_end(p);
    if (r == 0)
        r = ls__child_start(o, how, theirs, &p->pid);
    close_all(theirs);
    close_all(ours);
    if (r < 0) {
        close_streams(p);
        if (p->listens)
            uv_close((uv_handle_t *)&p->signal, handle_closed);
        else
            free(p);
        return r;
    }
    ls__owned_init(&p->owned, ls__loop, release_process);
    *ret = p;
    return 0;
}

// ---- its life ----

ls_stream *ls_process_stream(ls_process *p, int which)
{
    return which >= 0 && which < 3 ? p->streams[which] : NULL;
}

int ls_process_pid(const ls_process *p)
{
    return p->pid;
}

int ls_process_kill_at(struct ls_site *site, ls_process *p, int signal)
{
    if (p->owned.loop != ls__loop)
        return ls__wrong_loop_of(p->owned.loop, site, "ls_process_kill");
    if (p->ended)
        return -ESRCH;
    return kill(p->pid, signal) < 0 ? -errno : 0; // not reaped: the pid is its own
}

static int wait_end(struct ls_process *p, struct task *t, struct ls_site *site, int64_t timeout_ns,
                    bool held)
{
    struct wait w = {.kind = LS_ABI_WAIT_PROCESS,
                     .object = (uint64_t)p->pid,
                     .site = site,
                     .timeout_ns = timeout_ns,
                     .held = held};
    if (p->ended)
        return 0;
    int r = ls__wait_in(&p->waiters, t, &w);
    return p->freed ? -EBADF : r;
}

int ls_process_wait_at(struct ls_site *site, ls_process *p, int64_t timeout_ns)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_process_wait");
    if (t->loop != p->owned.loop)
        return ls__wrong_loop_of(p->owned.loop, site, "ls_process_wait");
    if (t->interrupt)
        return t->interrupt;
    p->refs++;
    int r = wait_end(p, t, site, timeout_ns, false);
    if (r == 0)
        r = p->status;
    unref(p);
    return r;
}

// The caller holds a reference. SIGTERM first, with a task to wait for the end. Outside tasks nobody can wait: SIGKILL, which takes no time.
static void end_child(struct ls_process *p, struct task *t)
{
    if (!t) {
        kill(p->pid, SIGKILL);
        reap(p->pid, 0);
        return;
    }
    kill(p->pid, SIGTERM);
    if (wait_end(p, t, LS_HERE, TERM_NS, true) == 0)
        return;
    kill(p->pid, SIGKILL);
    wait_end(p, t, LS_HERE, LS_FOREVER, true);
}

void ls_process_free_at(struct ls_site *site, ls_process *p)
{
    if (!p)
        return;
    if (p->owned.loop != ls__loop) {
        ls__wrong_loop_of(p->owned.loop, site, "ls_process_free");
        return;
    }
    ls__owned_forget(&p->owned);
    close_streams(p);
    if (!p->ended)
        end_child(p, task_current());
    p->freed = true;
    while (ls__wake_first(&p->waiters, -EBADF))
        continue;
    uv_close((uv_handle_t *)&p->signal, handle_closed);
}
