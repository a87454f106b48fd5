// Two helpers: stacks and identities go to one, task lists, which may take most of a second, to the other,
// which is started when the first list is asked for.
#include "stacker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "work.h"

#define MAX_STACK (64u << 20)
#define SECOND    1000000000ll

struct stacker {
    int epoll, wake;             // wake: something is to be answered without a message
    struct spawner *own_spawner; // NULL: it is another's
    struct work lanes[LANES];
    struct target *targets;
    uint32_t next_id;
    bool closing;
};

int stacker_spawner(struct spawner **ret, struct error *err)
{
    // This program again, not a plain fork: it shares no memory with the agent. Own process group: ^C at the terminal
    // is for the agent.
    static char *const argv[] = {"loopscope", STACK_HELPER_ARG, NULL};
    const struct spawn_program helper = {
        .file = "/proc/self/exe", .argv = argv, .fd = STACK_HELPER_FD, .own_group = true};
    int r = spawner_open(ret, &helper);
    if (r < 0)
        return error_set(err, STATUS_INTERNAL, -r, "the stack helper could not be started: %s",
                         strerror(-r));
    return 0;
}

int stacker_open(struct stacker **ret, struct spawner *spawner, struct error *err)
{
    struct stacker *s = calloc(1, sizeof(*s));
    *ret = NULL;
    if (!s)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    int r = spawner ? 0 : stacker_spawner(&s->own_spawner, err);
    if (r < 0) {
        free(s);
        return r;
    }
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (int i = 0; i < LANES; i++)
        work_init(&s->lanes[i], i, s->epoll, &s->targets, spawner ? spawner : s->own_spawner);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    int failed = 0;
    if (s->epoll < 0 || s->wake < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &e) != 0)
        failed = -errno;
    if (!failed)
        failed = work_start_helper(&s->lanes[0]);
    if (failed) {
        stacker_close(s);
        return error_set(err, STATUS_INTERNAL, -failed, "the stack helper could not be started: %s",
                         strerror(-failed));
    }
    *ret = s;
    return 0;
}

static void free_target(struct stacker *s, struct target *t)
{
    HASH_DEL(s->targets, t);
    close_process_files(&t->files);
    free(t);
}

void stacker_close(struct stacker *s)
{
    if (!s)
        return;
    s->closing = true;
    for (int i = 0; i < LANES; i++)
        work_stop(&s->lanes[i], "loopscope is ending");
    while (s->targets)
        free_target(s, s->targets); // NOLINT(clang-analyzer-unix.Malloc): HASH_DEL moves it on
    if (s->wake >= 0)
        close(s->wake);
    if (s->epoll >= 0)
        close(s->epoll);
    spawner_close(s->own_spawner);
    free(s);
}

int stacker_fd(struct stacker *s)
{
    return s->epoll;
}

int64_t stacker_deadline_ns(struct stacker *s)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < LANES; i++)
        if (s->lanes[i].current && s->lanes[i].deadline_ns < first)
            first = s->lanes[i].deadline_ns;
    return first;
}

void stacker_dispatch(struct stacker *s)
{
    uint64_t rung;
    ssize_t ignored = read(s->wake, &rung, sizeof(rung));
    (void)ignored;
    for (int i = 0; i < LANES; i++)
        work_dispatch(&s->lanes[i]);
}

static void ring(struct stacker *s)
{
    uint64_t one = 1;
    ssize_t ignored = write(s->wake, &one, sizeof(one));
    (void)ignored; // full: it rings already
}

static int enqueue(struct stacker *s, int lane, const struct job *template)
{
    if (s->closing || !find_target(s->targets, template->pid))
        return -ESRCH;
    struct job *j = malloc(sizeof(*j));
    if (!j)
        return -ENOMEM;
    *j = *template;
    j->id = ++s->next_id;
    work_add(&s->lanes[lane], j);
    if (work_kick(&s->lanes[lane])) // answered from dispatch, not from here
        ring(s);
    return 0;
}

int stacker_add_process(struct stacker *s, int pid, struct error *err)
{
    struct process_files files;
    int failed = open_process_files(pid, &files, err);
    if (failed < 0)
        return failed;
    stacker_remove_process(s, pid);
    struct target *t = calloc(1, sizeof(*t));
    if (!t) {
        close_process_files(&files);
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    }
    t->pid = pid;
    t->files = files;
    HASH_ADD_INT(s->targets, pid, t);
    struct job preload = {.kind = MESSAGE_PRELOAD, .pid = pid, .allowed_ns = 10 * SECOND};
    return enqueue(s, 0, &preload);
}

void stacker_remove_process(struct stacker *s, int pid)
{
    struct target *t = find_target(s->targets, pid);
    if (!t)
        return;
    for (int i = 0; i < LANES; i++)
        work_forget(&s->lanes[i], t);
    free_target(s, t);
}

int stacker_stack(struct stacker *s, const struct stack_request *r, stack_cb cb, void *arg)
{
    struct job j = {.kind = MESSAGE_STACK,
                    .pid = r->pid,
                    .allowed_ns = 3 * SECOND,
                    .stack = {.request = *r},
                    .on_stack = cb,
                    .arg = arg};
    j.stack.request.stack = NULL;
    if (r->stack_len > MAX_STACK)
        j.stack.request.stack_len = MAX_STACK;
    if (j.stack.request.stack_len > 0) {
        j.copy = malloc(j.stack.request.stack_len);
        if (!j.copy)
            return -ENOMEM;
        memcpy(j.copy, r->stack, j.stack.request.stack_len);
    }
    int err = enqueue(s, 0, &j);
    if (err < 0)
        free(j.copy);
    return err;
}

int stacker_identify(struct stacker *s, int pid, identity_cb cb, void *arg)
{
    return enqueue(s, 0,
                   &(struct job){.kind = MESSAGE_IDENTIFY,
                                 .pid = pid,
                                 .allowed_ns = 5 * SECOND,
                                 .on_identity = cb,
                                 .arg = arg});
}

int stacker_tasks(struct stacker *s, int pid, bool gc_walk, int max_rows, tasks_cb cb, void *arg)
{
    return enqueue(s, 1,
                   &(struct job){.kind = MESSAGE_TASKS,
                                 .pid = pid,
                                 .allowed_ns = 10 * SECOND,
                                 .tasks = {pid, max_rows, gc_walk},
                                 .on_tasks = cb,
                                 .arg = arg});
}

int64_t stacker_cpu_ns(struct stacker *s)
{
    int64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += lane_cpu_ns(&s->lanes[i].lane);
    return sum;
}

int64_t stacker_rss_anon(struct stacker *s)
{
    int64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += lane_rss_anon(&s->lanes[i].lane);
    return sum;
}

int64_t stacker_restarts(struct stacker *s)
{
    int64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        if (s->lanes[i].lane.started > 1)
            sum += s->lanes[i].lane.started - 1;
    return sum;
}
