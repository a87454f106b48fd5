#include "fakes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/target/procfs.h"
#include "agent/target/stalls.h"
#include "agent/target/threads.h"
#include "agent/target/trust.h"

// --- probe

int64_t probe_hist_ns(int bucket)
{
    return bucket == PROBE_HIST - 1 ? INT64_MAX : (bucket + 1) * 10 * MS;
}

int probe_open(struct probe **ret, const struct probe_config *config,
               const struct probe_callbacks *callbacks, void *arg, struct error *err)
{
    (void)ret, (void)config, (void)callbacks, (void)arg, (void)err;
    return -ENOSYS;
}

void probe_close(struct probe *p)
{
    (void)p;
}

int probe_add_process(struct probe *p, int pid, struct error *err)
{
    (void)p, (void)pid, (void)err;
    return 0;
}

void probe_remove_process(struct probe *p, int pid)
{
    (void)p, (void)pid;
}

int probe_trust(struct probe *p, int tid, enum wait_kind kind, int fd, uint64_t user_pc)
{
    (void)tid, (void)user_pc;
    p->kind = kind;
    p->fd = fd;
    p->trusts++;
    return 0;
}

void probe_loop_counter(struct probe *p, int tid, uint64_t address)
{
    (void)tid;
    p->loop_counter = address;
}

int probe_peek(struct probe *p, int tid, struct probe_sample *ret)
{
    if (p->peek_fails)
        return -EAGAIN;
    *ret = p->peek;
    ret->tid = tid;
    ret->has_regs = true;
    return 0;
}

int probe_stats(struct probe *p, int tid, struct probe_stats *ret)
{
    (void)tid;
    *ret = p->stats;
    return 0;
}

bool probe_same_turn(struct probe *p, int tid, uint64_t seq)
{
    (void)tid, (void)seq;
    return !p->other_turn;
}

int probe_fd(struct probe *p)
{
    (void)p;
    return -1;
}

int64_t probe_interval_ns(struct probe *p)
{
    (void)p;
    return 10 * MS;
}

void probe_dispatch(struct probe *p)
{
    (void)p;
}

const char *probe_backend(struct probe *p)
{
    (void)p;
    return "fake";
}

const char *probe_turn_source(struct probe *p)
{
    (void)p;
    return "fake";
}

bool probe_turns_estimated(struct probe *p)
{
    (void)p;
    return false;
}

// --- stacker

int stacker_open(struct stacker **ret, struct spawner *spawner, struct error *err)
{
    (void)spawner;
    (void)ret, (void)err;
    return -ENOSYS;
}

void stacker_close(struct stacker *s)
{
    (void)s;
}

int stacker_fd(struct stacker *s)
{
    (void)s;
    return -1;
}

void stacker_dispatch(struct stacker *s)
{
    (void)s;
}

int64_t stacker_deadline_ns(struct stacker *s)
{
    (void)s;
    return INT64_MAX;
}

int stacker_add_process(struct stacker *s, int pid, struct error *err)
{
    (void)s, (void)pid, (void)err;
    return 0;
}

void stacker_remove_process(struct stacker *s, int pid)
{
    (void)s, (void)pid;
}

int stacker_stack(struct stacker *s, const struct stack_request *r, stack_cb cb, void *arg)
{
    if (s->nstacks == FAKE_ANSWERS)
        return -EAGAIN;
    s->stacks[s->nstacks].cb = cb;
    s->stacks[s->nstacks].arg = arg;
    s->stacks[s->nstacks].request = *r;
    s->nstacks++;
    s->asked++;
    return 0;
}

int stacker_identify(struct stacker *s, int pid, identity_cb cb, void *arg)
{
    (void)pid;
    free(s->identity_arg); // asked twice and never answered
    s->identity_cb = cb;
    s->identity_arg = arg;
    return 0;
}

int stacker_tasks(struct stacker *s, int pid, bool gc_walk, int max_rows, tasks_cb cb, void *arg)
{
    (void)pid, (void)gc_walk, (void)max_rows;
    free(s->tasks_arg);
    s->tasks_cb = cb;
    s->tasks_arg = arg;
    return 0;
}

int64_t stacker_cpu_ns(struct stacker *s)
{
    (void)s;
    return 0;
}

int64_t stacker_rss_anon(struct stacker *s)
{
    (void)s;
    return 0;
}

int64_t stacker_restarts(struct stacker *s)
{
    (void)s;
    return 0;
}

// --- the world

static int sleeper(void)
{
    int pid = fork();
    if (pid)
        return pid;
    struct epoll_event event;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(epoll_create1(0), FAKE_EPOLL);
    for (;;)
        epoll_wait(FAKE_EPOLL, &event, 1, -1);
}

static void wait_until_asleep(int pid)
{
    long nr = -1;
    uint64_t args[6] = {0};
    for (int i = 0; i < 2000; i++) {
        if (procfs_syscall(pid, pid, &nr, args) == 0 && wait_kind_of(nr, args[2]) == WAIT_EPOLL &&
            args[0] == FAKE_EPOLL)
            return;
        usleep(1000);
    }
    fail_msg("the child does not sleep in its epoll");
}

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));
    struct error err = {0};
    w->pid = sleeper();
    wait_until_asleep(w->pid);
    model_start(&w->m, 1000 * 1000 * MS);
    w->m.probe = &w->probe;
    w->m.stacker = &w->stacker;
    w->m.threshold_ns = 100 * MS;
    w->probe.stats.turn_seq = 1;
    w->probe.peek = (struct probe_sample){.pid = w->pid,
                                          .state = 'S',
                                          .syscall = SYS_epoll_wait,
                                          .args = {FAKE_EPOLL},
                                          .regs = {.sp = 0x7000, .ip = 0x4000}};
    assert_int_equal(proc_add(&w->m, w->pid, &err), 0);
    w->proc = proc_find(&w->m, w->pid);
    struct probe_thread_event e = {.what = PROBE_THREAD_NEW, .pid = w->pid, .tid = w->pid};
    thread_event(&w->m, &e);
    w->thread = model_thread(&w->m, w->pid);
    return w;
}

void world_free(struct world *w)
{
    while (w->stacker.nstacks > 0)
        world_answer(w, (struct stack_answer){.why_not = "closing"}, NULL);
    free(w->stacker.identity_arg);
    free(w->stacker.tasks_arg);
    model_finish(&w->m);
    kill(w->pid, SIGKILL);
    waitpid(w->pid, NULL, 0);
    free(w);
}

void world_pass(struct world *w, int64_t ns)
{
    w->m.now_ns += ns;
}

void world_identify(struct world *w, const struct identity *id)
{
    void *arg = w->stacker.identity_arg;
    w->stacker.identity_arg = NULL;
    w->stacker.identity_cb(arg, id);
}

static struct stack *stack_of(const char *const *names)
{
    struct frame frames[16] = {0};
    int n = 0, culprit = -1;
    for (; names[n]; n++) {
        bool runtime = names[n][0] == '-';
        frames[n] = (struct frame){
            .function = names[n] + runtime, .module = "/usr/bin/x", .runtime = runtime};
        if (!runtime && culprit < 0)
            culprit = n;
    }
    return stack_new(frames, n, culprit, false, true);
}

void world_answer(struct world *w, struct stack_answer answer, const char *const *frames)
{
    assert_true(w->stacker.nstacks > 0);
    stack_cb cb = w->stacker.stacks[0].cb;
    void *arg = w->stacker.stacks[0].arg;
    w->stacker.nstacks--;
    memmove(w->stacker.stacks, w->stacker.stacks + 1,
            sizeof(w->stacker.stacks[0]) * (size_t)w->stacker.nstacks);
    if (frames)
        answer.stack = stack_of(frames);
    cb(arg, &answer);
    stack_unref(answer.stack);
}

struct probe_sample world_asleep(struct world *w, uint64_t seq, int64_t ms, long syscall)
{
    w->probe.stats.turn_seq = seq;
    return (struct probe_sample){.pid = w->pid,
                                 .tid = w->pid,
                                 .at_ns = w->m.now_ns,
                                 .turn_begin_ns = w->m.now_ns - ms * MS,
                                 .turn_seq = seq,
                                 .level = 1,
                                 .state = 'S',
                                 .off_since_ns = w->m.now_ns - ms * MS,
                                 .syscall = syscall,
                                 .regs = {.sp = 0x6000},
                                 .has_regs = true};
}

void world_turn(struct world *w, uint64_t seq, int64_t ms, struct probe_split split)
{
    struct probe_turn turn = {.pid = w->pid,
                              .tid = w->pid,
                              .seq = seq,
                              .begin_ns = w->m.now_ns - ms * MS,
                              .end_ns = w->m.now_ns,
                              .split = split,
                              .top_syscall = -1};
    stall_turn(&w->m, w->thread, &turn);
}

struct probe_wait world_wait(enum wait_kind kind, int fd, uint64_t sleeps)
{
    return (struct probe_wait){.kind = kind, .fd = fd, .user_sp = 0x7000, .sleeps = sleeps};
}

void world_trust(struct world *w)
{
    struct identity id = {.runtime = RUNTIME_LIBUV, .has_uv = true, .uv_backend_fd = FAKE_EPOLL};
    struct probe_wait wait = world_wait(WAIT_EPOLL, FAKE_EPOLL, 1);
    trust_waits_seen(&w->m, w->thread, &wait, 1);
    world_identify(w, &id);
    assert_int_equal(w->thread->trust, TRUST_PROVED);
}
