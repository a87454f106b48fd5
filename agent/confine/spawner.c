// The agent's side.
#include "spawner.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "spawner_internal.h"

#define MAX_ENDED 16 // told, not asked for yet: ends that nobody minds push each other out

struct ended {
    pid_t pid;
    struct spawn_end end;
};

struct spawner {
    int fd;
    pid_t pid;
    bool gone; // somebody killed it
    int nended;
    struct ended ended[MAX_ENDED];
};

int spawner_open(struct spawner **ret, const struct spawn_program *program)
{
    struct spawner *s = calloc(1, sizeof(*s));
    *ret = NULL;
    if (!s)
        return -ENOMEM;
    int r = side_fork(&s->fd, &s->pid);
    if (r > 0)
        spawner_live(s->fd, program);
    if (r < 0) {
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void spawner_close(struct spawner *s)
{
    if (s)
        side_end(s->fd, s->pid);
    free(s);
}

pid_t spawner_pid(const struct spawner *s)
{
    return s->pid;
}

int spawner_fd(const struct spawner *s)
{
    return s->fd;
}

bool spawner_is_gone(const struct spawner *s)
{
    return s->gone;
}

static void note_end(struct spawner *s, const struct reply *r)
{
    if (s->nended == MAX_ENDED)
        memmove(s->ended, s->ended + 1, (size_t)--s->nended * sizeof(s->ended[0]));
    s->ended[s->nended++] = (struct ended){r->pid, r->end};
}

static bool wait_for_more(const struct spawner *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    return poll(&p, 1, -1) > 0 || errno == EINTR;
}

// 0: one has come; -EAGAIN: none has, and none is waited for; -EPIPE: the spawner is gone.
static int receive(struct spawner *s, struct reply *r, bool wait)
{
    ssize_t n;
    do // whoever polls the descriptor may have made it non-blocking (libuv does)
        n = recv(s->fd, r, sizeof(*r), MSG_DONTWAIT);
    while (n < 0 && (errno == EINTR || (errno == EAGAIN && wait && wait_for_more(s))));
    if (n < 0 && errno == EAGAIN)
        return -EAGAIN;
    s->gone = n != sizeof(*r);
    return s->gone ? -EPIPE : 0;
}

static int send_order(struct spawner *s, const struct order *o, int fd)
{
    union one_descriptor control;
    struct iovec body = {(void *)o, sizeof(*o)};
    struct msghdr m = {.msg_iov = &body, .msg_iovlen = 1};
    ssize_t n;
    if (fd >= 0)
        put_descriptor(&m, &control, fd);
    do
        n = sendmsg(s->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == sizeof(*o) ? 0 : -EPIPE;
}

static int obey(struct spawner *s, const struct order *o, int fd)
{
    struct reply r;
    int err = send_order(s, o, fd);
    while (!err && !(err = receive(s, &r, true))) {
        if (r.kind == REPLY_DONE)
            return r.pid;
        note_end(s, &r);
    }
    return err;
}

pid_t spawner_start(struct spawner *s, int fd)
{
    return obey(s, &(struct order){.kind = ORDER_START}, fd);
}

int spawner_signal(struct spawner *s, pid_t pid, int number)
{
    return obey(s, &(struct order){.kind = ORDER_SIGNAL, .pid = pid, .number = number}, -1);
}

static bool take_end(struct spawner *s, pid_t pid, struct spawn_end *ret)
{
    for (int i = 0; i < s->nended; i++) {
        if (s->ended[i].pid != pid)
            continue;
        *ret = s->ended[i].end;
        s->ended[i] = s->ended[--s->nended];
        return true;
    }
    return false;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

bool spawner_ended(struct spawner *s, pid_t pid, int wait_ms, struct spawn_end *ret)
{
    int64_t until = now_ms() + wait_ms;
    for (;;) {
        struct reply r;
        int err;
        while (!(err = receive(s, &r, false)))
            note_end(s, &r);
        if (take_end(s, pid, ret))
            return true;
        int64_t left = until - now_ms();
        if (err == -EPIPE || left <= 0)
            return false;
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        poll(&p, 1, (int)left);
    }
}
