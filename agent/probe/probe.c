// The probe as target sees it: opening the best backend, the deadlines, and dispatch.
#include "probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define REST_MAX_NS (50 * NS_PER_MS)
#define REST_MIN_NS (10 * NS_PER_MS)

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void set_timer(struct probe *p)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = p->deadline_ns / NS_PER_S, .tv_nsec = p->deadline_ns % NS_PER_S}};
    timerfd_settime(p->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void wake_at(struct probe *p, int64_t at_ns)
{
    if (at_ns >= p->deadline_ns)
        return;
    p->deadline_ns = at_ns;
    if (!p->scanning) // else it is set once, at the end of the scan
        set_timer(p);
}

// An event a CPU, a breakpoint a busy loop, and what each process takes to be read.
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int watch_fd(struct probe *p, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int probe_also_poll(struct probe *p, int fd)
{
    return watch_fd(p, fd);
}

static int open_common(struct probe *p, struct error *err)
{
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (p->epoll_fd < 0 || p->timer_fd < 0)
        return error_set(err, STATUS_INTERNAL, errno, "cannot create a timer: %s", strerror(errno));
    int e = watch_fd(p, p->timer_fd);
    if (!e)
        e = reader_open(&p->reader);
    p->stack = malloc(STACK_SLEEPING);
    if (!e && !p->stack)
        e = -ENOMEM;
    return e ? error_set(err, STATUS_INTERNAL, -e, "cannot start: %s", strerror(-e)) : 0;
}

static int open_backend(struct probe *p, const struct probe_ops *ops, struct error *err)
{
    p->ops = ops;
    int e = ops->open(p, err);
    if (e)
        p->ops = NULL;
    return e;
}

static int choose_backend(struct probe *p, struct error *err)
{
    if (p->config.backend == BACKEND_PROC)
        return open_backend(p, &probe_proc_ops, err);
    struct error why; // of the first try: what is made good by the second is no error
    int e = open_backend(p, &probe_bpf_ops, &why);
    if (e && p->config.backend == BACKEND_AUTO && !p->config.exact)
        return open_backend(p, &probe_proc_ops, err);
    if (e && err)
        *err = why;
    return e;
}

int probe_open(struct probe **ret, const struct probe_config *config,
               const struct probe_callbacks *callbacks, void *arg, struct error *err)
{
    struct probe *p = calloc(1, sizeof(*p));
    if (!p)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    p->config = *config;
    if (!p->config.max_threads)
        p->config.max_threads = 4096;
    p->callbacks = *callbacks;
    p->arg = arg;
    p->epoll_fd = p->timer_fd = -1;
    p->now_ns = p->reported_ns = now_ns();
    p->deadline_ns = INT64_MAX;
    p->level_cap = level_cap_of(p->config.threshold_ns);
    raise_file_limit();
    int e = open_common(p, err);
    if (!e)
        e = choose_backend(p, err);
    if (e) {
        probe_close(p);
        return e;
    }
    wake_at(p, p->now_ns);
    *ret = p;
    return 0;
}

void probe_close(struct probe *p)
{
    if (!p)
        return;
    while (p->processes)
        process_remove(p, p->processes);
    if (p->ops)
        p->ops->close(p);
    reader_close(p->reader);
    if (p->timer_fd >= 0)
        close(p->timer_fd);
    if (p->epoll_fd >= 0)
        close(p->epoll_fd);
    free(p->stack);
    free(p);
}

int probe_peek(struct probe *p, int tid, struct probe_sample *ret)
{
    struct thread *t = thread_find(p, tid);
    if (!t)
        return -ESRCH;
    p->now_ns = now_ns();
    for (int tries = 0; tries < 3; tries++) {
        sample_from_slot(p, t, ret);
        if (p->ops->look(p, t, ret)) {
            peek_stop(p, t);
            return 0;
        }
    }
    sample_from_slot(p, t, ret);
    ret->on_cpu = true;
    ret->state = 'R';
    ret->why_not = "it is running";
    peek_running(p, t, ret);
    return 0;
}

int probe_fd(struct probe *p)
{
    return p->epoll_fd;
}

int64_t probe_interval_ns(struct probe *p)
{
    int64_t left = p->deadline_ns - now_ns();
    return left > NS_PER_MS ? left : NS_PER_MS;
}

// A turn that begins after a look must be found by the next one before it is due: exact ends leave the threshold for
// that, estimated ones what is left of it once an end would have been seen.
static int64_t rest_ns(const struct probe *p)
{
    int64_t threshold = p->config.threshold_ns;
    int64_t rest = p->ops == &probe_proc_ops ? threshold / 2
                   : p->estimated            ? proof_min_ns(p)
                                             : threshold * 4 / 5;
    return rest < REST_MIN_NS ? REST_MIN_NS : rest > REST_MAX_NS ? REST_MAX_NS : rest;
}

static void scan(struct probe *p)
{
    uint64_t expirations;
    if (read(p->timer_fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
        return;
    p->scanning = true;
    p->deadline_ns = p->now_ns + rest_ns(p);
    p->ops->scan(p);
    scan_slowly(p);
    p->scanning = false;
    set_timer(p);
}

void probe_dispatch(struct probe *p)
{
    p->ops->drain(p);
    p->now_ns = now_ns();
    if (p->now_ns >= p->deadline_ns)
        scan(p);
}

const char *probe_backend(struct probe *p)
{
    return p->ops->name;
}

const char *probe_turn_source(struct probe *p)
{
    return p->ops->turn_source(p);
}

bool probe_turns_estimated(struct probe *p)
{
    return p->estimated;
}
