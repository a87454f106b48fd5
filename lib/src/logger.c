// The logger: any thread puts a finished line into a bounded ring; a thread of its own writes what is there.
//
// The ring holds bytes, so that the writer hands whole stretches to write(2). A line that does not fit is counted, and
// the writer says how many were lost as soon as it has room. The lock is held for a copy, never for a write.
#include "logger.h"
#include "io.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_QUEUE ((size_t)1 << 20)
#define AT_EXIT_NS    1000000000

struct flush { // of a waiting task; on its stack
    struct list link;
    struct ls_loop *loop;
    struct task *task;
    uint64_t upto;
};

struct ls_logger {
    struct list link; // in `loggers`
    pthread_mutex_t lock;
    pthread_cond_t filled, written;
    pthread_t thread;
    char *ring;
    size_t capacity;
    uint64_t put, taken; // bytes ever; what lies between is queued
    uint64_t dropped_said;
    struct list flushes;
    struct ls_logger_stats stats;
    enum ls_level level;
    int fd;
    bool owns_fd, stop, stopped;
};

// What exit(3) flushes. The only state of the process's own: whoever calls exit does not know the loggers.
static pthread_mutex_t loggers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list loggers = {&loggers, &loggers};

// ---- the ring; under the lock ----

static bool ring_put(struct ls_logger *g, const char *line, size_t size)
{
    if (size > g->capacity - (size_t)(g->put - g->taken))
        return false;
    size_t at = g->put % g->capacity, first = g->capacity - at < size ? g->capacity - at : size;
    memcpy(g->ring + at, line, first);
    memcpy(g->ring, line + first, size - first);
    g->put += size;
    return true;
}

static void say_dropped(struct ls_logger *g)
{
    char line[LOG_LINE];
    uint64_t n = g->stats.dropped - g->dropped_said;
    if (n == 0 || g->put != g->taken) // after those that were written before
        return;
    size_t size = ls__log_dropped(line, n);
    if (ring_put(g, line, size))
        g->dropped_said += n;
}

// ---- the writer ----

static void tell_flush(void *arg)
{
    const struct flush *f = arg;
    ls__wake(f->task, 0);
}

// Those whose records are written. Under the lock: see flush_abort. Off the list before the letter is sent: once woken, the
// task takes its frame back.
static void finish_flushes(struct ls_logger *g)
{
    struct list *node, waiting = {&waiting, &waiting};
    list_splice(&waiting, &g->flushes);
    while ((node = list_pop(&waiting))) {
        struct flush *f = list_entry(node, struct flush, link);
        if (f->upto > g->taken || ls_post(f->loop, tell_flush, f) < 0)
            list_add_tail(&g->flushes, &f->link); // also when out of memory: after the next stretch
    }
}

static int write_all(struct ls_logger *g, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(g->fd, data, size);
        if (n < 0 && errno == EAGAIN) { // a descriptor that others made non-blocking
            usleep(1000);
            continue;
        }
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

// One stretch of the ring, with the lock released while it is written: nobody puts anything over it.
static void write_stretch(struct ls_logger *g)
{
    size_t at = g->taken % g->capacity, size = (size_t)(g->put - g->taken);
    if (size > g->capacity - at)
        size = g->capacity - at;
    pthread_mutex_unlock(&g->lock);
    int r = write_all(g, g->ring + at, size);
    pthread_mutex_lock(&g->lock);
    g->taken += size;
    if (r < 0)
        g->stats.write_errors++;
    else
        g->stats.bytes += size;
}

static void *writer(void *arg)
{
    struct ls_logger *g = arg;
    pthread_mutex_lock(&g->lock);
    while (!g->stop || g->put != g->taken) {
        say_dropped(g);
        if (g->put == g->taken) {
            pthread_cond_wait(&g->filled, &g->lock);
            continue;
        }
        write_stretch(g);
        finish_flushes(g);
        pthread_cond_broadcast(&g->written);
    }
    g->stopped = true;
    pthread_cond_broadcast(&g->written);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

// ---- life ----

static struct timespec after(int64_t ns)
{
    int64_t at;
    if (__builtin_add_overflow(clock_ns(), ns, &at))
        at = INT64_MAX;
    return (struct timespec){.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
}

// Under the lock. Whether everything has been written in time.
static bool wait_written(struct ls_logger *g, int64_t timeout_ns)
{
    struct timespec end = after(timeout_ns < 0 ? INT64_MAX / 2 : timeout_ns);
    int r = 0;
    while (g->put != g->taken && !g->stopped && r == 0)
        r = pthread_cond_timedwait(&g->written, &g->lock, &end);
    return g->put == g->taken;
}

static void flush_at_exit(void)
{
    if (pthread_mutex_trylock(&loggers_lock) != 0)
        return;
    for (struct list *node = loggers.next; node != &loggers; node = node->next) {
        struct ls_logger *g = list_entry(node, struct ls_logger, link);
        pthread_mutex_lock(&g->lock);
        wait_written(g, AT_EXIT_NS);
        pthread_mutex_unlock(&g->lock);
    }
    pthread_mutex_unlock(&loggers_lock);
}

static void call_at_exit(void)
{
    atexit(flush_at_exit);
}

static int start_writer(struct ls_logger *g)
{
    sigset_t all, old;
    sigfillset(&all); // the program's signals are not for this thread
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = -pthread_create(&g->thread, NULL, writer, g);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

static void init_locks(struct ls_logger *g)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->filled, NULL);
    pthread_cond_init(&g->written, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_logger(struct ls_logger *g)
{
    pthread_cond_destroy(&g->filled);
    pthread_cond_destroy(&g->written);
    pthread_mutex_destroy(&g->lock);
    if (g->owns_fd)
        close(g->fd);
    free(g->ring);
    free(g);
}

int ls_logger_new(ls_logger **ret, const struct ls_logger_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ls_logger_options none = {0};
    const struct ls_logger_options *o = options ? options : &none;
    *ret = NULL;
    struct ls_logger *g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    init_locks(g);
    list_init(&g->flushes);
    g->level = o->level;
    g->capacity = o->queue_bytes ? o->queue_bytes : DEFAULT_QUEUE;
    g->owns_fd = o->path != NULL;
    g->fd = o->fd > 0 ? o->fd : STDERR_FILENO;
    if (o->path)
        g->fd = open(o->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    int r = g->fd < 0 ? -errno : 0;
    if (r == 0 && !(g->ring = malloc(g->capacity)))
        r = -ENOMEM;
    if (r == 0)
        r = start_writer(g);
    if (r < 0) {
        g->owns_fd = g->owns_fd && g->fd >= 0;
        free_logger(g);
        return r;
    }
    pthread_once(&once, call_at_exit);
    pthread_mutex_lock(&loggers_lock);
    list_add_tail(&loggers, &g->link);
    pthread_mutex_unlock(&loggers_lock);
    *ret = g;
    return 0;
}

int ls_logger_free(ls_logger *g, int64_t timeout_ns)
{
    if (!g)
        return 0;
    pthread_mutex_lock(&loggers_lock);
    list_del(&g->link);
    pthread_mutex_unlock(&loggers_lock);
    pthread_mutex_lock(&g->lock);
    bool all = wait_written(g, timeout_ns);
    if (!all)
        g->put = g->taken; // dropped; what is being written just now ends first
    g->stop = true;
    pthread_cond_signal(&g->filled);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->thread, NULL);
    free_logger(g);
    return all ? 0 : -ETIMEDOUT;
}

// ---- records ----

int ls_log_at(struct ls_site *site, ls_logger *g, enum ls_level level, const char *message, ...)
{
    char line[LOG_LINE];
    va_list fields;
    if (level < g->level)
        return 0;
    va_start(fields, message);
    size_t size = ls__log_format(line, site, level, message, fields);
    va_end(fields);
    pthread_mutex_lock(&g->lock);
    bool was_empty = g->put == g->taken, fits = ring_put(g, line, size);
    if (fits)
        g->stats.written++;
    else
        g->stats.dropped++;
    if (fits && was_empty)
        pthread_cond_signal(&g->filled);
    pthread_mutex_unlock(&g->lock);
    return fits ? 0 : -EAGAIN;
}

// The writer takes a flush off the list and posts its letter under the lock: so either it is on the list, and nobody
// else will touch it, or its letter is on the way and wakes the task.
static void flush_abort(struct task *t, int why)
{
    struct flush *f = t->wait_op;
    struct ls_logger *g = (struct ls_logger *)(uintptr_t)t->slot->wait_object;
    pthread_mutex_lock(&g->lock);
    bool ours = list_linked(&f->link);
    list_del(&f->link);
    pthread_mutex_unlock(&g->lock);
    if (ours)
        ls__wake(t, why);
}

int ls_log_flush_at(struct ls_site *site, ls_logger *g, int64_t timeout_ns)
{
    struct task *t = task_current();
    struct flush f = {.task = t};
    struct wait w = {.kind = LS_ABI_WAIT_OTHER,
                     .object = (uintptr_t)g,
                     .site = site,
                     .timeout_ns = timeout_ns,
                     .abort = flush_abort,
                     .op = &f};
    if (!t)
        return ls__not_in_task(site, "ls_log_flush");
    int r = t->interrupt;
    pthread_mutex_lock(&g->lock);
    bool all = g->put == g->taken;
    if (!all && r == 0 && (r = ls__may_wait(t, &w)) == 0) {
        f.loop = t->loop;
        f.upto = g->put;
        list_add_tail(&g->flushes, &f.link);
    }
    pthread_mutex_unlock(&g->lock);
    return all || r < 0 ? r : ls__park(t, &w);
}

int ls_logger_get_stats(const ls_logger *logger, struct ls_logger_stats *ret)
{
    struct ls_logger *g = (struct ls_logger *)(uintptr_t)logger;
    pthread_mutex_lock(&g->lock);
    *ret = g->stats;
    ret->queued_bytes = (size_t)(g->put - g->taken);
    pthread_mutex_unlock(&g->lock);
    return 0;
}
