#include "reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

enum { BUFFER_SIZE = 65536, HUNG_MAX = 8 };

// Shared by the reader and one thread, freed by whoever lets go last. The thread reads into the worker's
// own buffer: the caller's may be gone when a hung read comes back.
struct worker {
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    bool pending, done, abandoned, quit;
    int pid;
    uint64_t address;
    size_t len;
    ssize_t result;
    int *hung; // of the reader, counted down when an abandoned read comes back
    pthread_mutex_t *hung_lock;
    uint8_t buffer[BUFFER_SIZE];
};

struct reader_shared {
    pthread_mutex_t lock;
    int hung;
};

struct reader {
    struct worker *worker;
    pthread_t thread;
    struct reader_shared *shared; // outlives the reader while reads hang
};

static ssize_t read_memory(struct worker *w)
{
    struct iovec local = {w->buffer, w->len};
    struct iovec remote = {(void *)(uintptr_t)w->address, w->len};
    ssize_t n = process_vm_readv(w->pid, &local, 1, &remote, 1, 0);
    return n < 0 ? -errno : n;
}

static void worker_free(struct worker *w)
{
    pthread_cond_destroy(&w->asked);
    pthread_cond_destroy(&w->answered);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->quit && !w->abandoned) {
        if (!w->pending) {
            pthread_cond_wait(&w->asked, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        ssize_t n = read_memory(w);
        pthread_mutex_lock(&w->lock);
        w->result = n;
        w->pending = false;
        w->done = true;
        pthread_cond_signal(&w->answered);
    }
    bool abandoned = w->abandoned;
    pthread_mutex_unlock(&w->lock);
    if (abandoned) {
        pthread_mutex_lock(w->hung_lock);
        --*w->hung;
        pthread_mutex_unlock(w->hung_lock);
        worker_free(w);
    }
    return NULL;
}

static struct worker *worker_new(struct reader *r)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->asked, NULL);
    pthread_cond_init(&w->answered, &attr);
    pthread_condattr_destroy(&attr);
    w->hung = &r->shared->hung;
    w->hung_lock = &r->shared->lock;
    return w;
}

static int start_worker(struct reader *r)
{
    r->worker = worker_new(r);
    if (!r->worker)
        return -ENOMEM;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 128 * 1024);
    int err = pthread_create(&r->thread, &attr, worker_main, r->worker);
    pthread_attr_destroy(&attr);
    if (err) {
        worker_free(r->worker);
        r->worker = NULL;
    }
    return -err;
}

int reader_open(struct reader **ret)
{
    struct reader *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->shared = calloc(1, sizeof(*r->shared));
    if (!r->shared) {
        free(r);
        return -ENOMEM;
    }
    pthread_mutex_init(&r->shared->lock, NULL);
    *ret = r;
    return 0;
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    if (r->worker) {
        pthread_mutex_lock(&r->worker->lock);
        r->worker->quit = true;
        pthread_cond_signal(&r->worker->asked);
        pthread_mutex_unlock(&r->worker->lock);
        pthread_join(r->thread, NULL);
        worker_free(r->worker);
    }
    pthread_mutex_lock(&r->shared->lock);
    bool hung = r->shared->hung > 0;
    pthread_mutex_unlock(&r->shared->lock);
    if (!hung) { // else the hung threads still count there; they are few and small
        pthread_mutex_destroy(&r->shared->lock);
        free(r->shared);
    }
    free(r);
}

static int hung_reads(struct reader *r)
{
    pthread_mutex_lock(&r->shared->lock);
    int n = r->shared->hung;
    pthread_mutex_unlock(&r->shared->lock);
    return n;
}

static struct timespec deadline_in(int64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    ns += t.tv_nsec;
    t.tv_sec += ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

// With the worker's lock held.
static void abandon(struct reader *r)
{
    pthread_mutex_lock(&r->shared->lock);
    r->shared->hung++;
    pthread_mutex_unlock(&r->shared->lock);
    r->worker->abandoned = true;
    pthread_detach(r->thread);
}

ssize_t reader_read(struct reader *r, int pid, uint64_t address, void *to, size_t len,
                    int64_t patience_ns)
{
    if (!r->worker) {
        if (hung_reads(r) >= HUNG_MAX)
            return -EBUSY;
        int err = start_worker(r);
        if (err)
            return err;
    }
    struct worker *w = r->worker;
    struct timespec until = deadline_in(patience_ns);
    pthread_mutex_lock(&w->lock);
    w->pid = pid;
    w->address = address;
    w->len = len < BUFFER_SIZE ? len : BUFFER_SIZE;
    w->done = false;
    w->pending = true;
    pthread_cond_signal(&w->asked);
    int err = 0;
    while (!w->done && !err)
        err = pthread_cond_timedwait(&w->answered, &w->lock, &until);
    ssize_t n;
    if (w->done) {
        n = w->result;
        if (n > 0)
            memcpy(to, w->buffer, n);
    } else {
        n = -ETIMEDOUT;
        abandon(r);
        r->worker = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    return n;
}
