// A tracker opened by a thread: the verifier takes a quarter of a second of CPU for its programs, and many times that on
// a busy machine. In the agent's loop no stall would be looked into meanwhile and no request answered.
//
// Whoever comes last frees the start: the thread when it was given up, else who asks for its outcome.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fd_track.h"

#define STACK_SIZE (1 << 20)

enum start_state { STARTING, OVER, GIVEN_UP };

struct fd_track_start {
    atomic_int state;
    struct fd_track_config config;
    struct fd_track *track;
    int result;
    struct error err;
};

static void forget(struct fd_track_start *s)
{
    fd_track_close(s->track);
    free(s);
}

static void *run(void *arg)
{
    struct fd_track_start *s = arg;
    int expected = STARTING;
    s->result = fd_track_open(&s->track, &s->config, NULL, NULL, &s->err);
    if (!atomic_compare_exchange_strong(&s->state, &expected, OVER))
        forget(s);
    return NULL;
}

// No signal of the agent is for it.
static int start_thread(struct fd_track_start *s)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int e = pthread_create(&thread, &attr, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return e;
}

int fd_track_start(struct fd_track_start **ret, const struct fd_track_config *config)
{
    struct fd_track_start *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->config = *config;
    *ret = s;
    if (start_thread(s))
        run(s); // no thread to be had: then it takes what it takes
    return 0;
}

int fd_track_started(struct fd_track_start *s, struct fd_track **ret, fd_opening_cb cb, void *arg,
                     struct error *err)
{
    if (atomic_load(&s->state) == STARTING)
        return 0;
    int r = s->result < 0 ? s->result : 1;
    *err = s->err;
    *ret = s->track;
    if (r > 0)
        fd_track_tell(s->track, cb, arg);
    s->track = NULL;
    forget(s);
    return r;
}

void fd_track_give_up(struct fd_track_start *s)
{
    int expected = STARTING;
    if (s && !atomic_compare_exchange_strong(&s->state, &expected, GIVEN_UP))
        forget(s);
}
