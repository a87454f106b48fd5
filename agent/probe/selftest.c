// What this kernel and these privileges allow, each part proved on a child of our own.
//
// The two backends are proved as a whole first: each watches the child for a second and must see it sleep
// and compute beyond the threshold. The parts come from what was seen on the way, or are tried one by one
// when the whole did not come about, so that the true cause is named.
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bpf.h"
#include "perf.h"
#include "privilege.h"
#include "procfs.h"
#include "sampler.h"
#include "selftest_child.h"

#define TRIAL_NS (1500 * NS_PER_MS)
#define TRIES    3
#define BUSY_NS  (15 * NS_PER_S) // longer than that no machine is given

// What a probe saw of the child.
struct trial {
    struct probe *probe;
    bool opened;
    struct error err;
    char source[32];
    int waits, sleeping, running, turns;
    bool sleeping_stack, running_stack;
    int64_t sleeping_late_ns, running_late_ns;
    const char *running_why, *sleeping_why; // no stack
    bool traced;
    int traced_errno;
};

static void on_wait(void *arg, int pid, int tid, const struct probe_wait *waits, int n)
{
    struct trial *t = arg;
    (void)pid;
    t->waits++;
    probe_trust(t->probe, tid, waits[n - 1].kind, waits[n - 1].fd, waits[n - 1].user_pc);
}

static int64_t late(const struct probe_sample *s)
{
    return s->at_ns - s->turn_begin_ns - CHILD_THRESHOLD_MS * NS_PER_MS;
}

static void on_sample(void *arg, const struct probe_sample *s)
{
    struct trial *t = arg;
    if (s->level != 0)
        return;
    if (s->on_cpu || s->state == 'R') {
        t->running++;
        t->running_late_ns = late(s);
        t->running_stack |= s->stack_len > 0;
        if (!s->stack_len)
            t->running_why = s->why_not;
    } else {
        t->sleeping++;
        t->sleeping_late_ns = late(s);
        t->sleeping_stack |= s->stack_len > 0;
        if (!s->stack_len)
            t->sleeping_why = s->why_not;
    }
}

static void on_turn(void *arg, const struct probe_turn *turn)
{
    struct trial *t = arg;
    (void)turn;
    t->turns++;
}

static void on_thread(void *arg, const struct probe_thread_event *e)
{
    (void)arg, (void)e;
}

static bool trial_complete(const struct trial *t)
{
    return t->sleeping_stack && t->running_stack && t->turns;
}

// How long it was ready to run without a CPU: a busy machine is not an unfit one.
static int64_t starved_ns(int pid)
{
    char path[64], text[128] = "";
    struct proc_schedstat s = {0};
    snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(text, sizeof(text), f))
        proc_parse_schedstat(text, &s);
    if (f)
        fclose(f);
    return (int64_t)s.run_delay_ns;
}

// A limit on what the child is given to do.
struct patience {
    int pid;
    int64_t begin_ns, starved_before_ns;
};

static struct patience patience_with(int pid)
{
    return (struct patience){
        .pid = pid, .begin_ns = now_ns(), .starved_before_ns = starved_ns(pid)};
}

static bool patient(const struct patience *p, int64_t limit_ns)
{
    int64_t starved = starved_ns(p->pid) - p->starved_before_ns;
    return now_ns() - p->begin_ns < limit_ns + (starved < BUSY_NS ? starved : BUSY_NS);
}

static void watch_child(struct trial *t, int pid)
{
    if (probe_add_process(t->probe, pid, &t->err))
        return;
    const struct patience patience = patience_with(pid);
    while (!trial_complete(t) && patient(&patience, TRIAL_NS)) {
        struct pollfd fd = {.fd = probe_fd(t->probe), .events = POLLIN};
        poll(&fd, 1, 20);
        probe_dispatch(t->probe);
    }
}

static void try_tracing(struct trial *t)
{
    struct bpf_backend *b = t->probe->backend;
    t->traced_errno = -wait_calls_trace(b);
    t->traced = !t->traced_errno;
    wait_calls_untrace(b);
}

static void run_trial(struct trial *t, enum backend backend, int pid)
{
    struct probe_config config = {
        .backend = backend, .threshold_ns = CHILD_THRESHOLD_MS * NS_PER_MS, .max_threads = 64};
    struct probe_callbacks callbacks = {
        .thread = on_thread, .wait_seen = on_wait, .sample = on_sample, .turn = on_turn};
    *t = (struct trial){0};
    if (probe_open(&t->probe, &config, &callbacks, t, &t->err))
        return;
    t->opened = true;
    snprintf(t->source, sizeof(t->source), "%s", probe_turn_source(t->probe));
    watch_child(t, pid);
    if (backend == BACKEND_BPF)
        try_tracing(t);
    probe_close(t->probe);
}

static bool saw_all(const struct trial *t)
{
    return t->opened && t->sleeping && t->running && t->turns;
}

// On a starved machine the child gets no CPU in time: what was not seen is looked for again.
static void try_backend(struct trial *t, enum backend backend, int pid)
{
    for (int i = 0; i < TRIES; i++) {
        run_trial(t, backend, pid);
        if (saw_all(t) || !t->opened)
            return;
    }
}

// The list that is written.
struct report {
    struct probe_check *checks;
    int n, max;
};

static struct probe_check *check(struct report *r, const char *id, const char *what, bool ok)
{
    static struct probe_check beyond; // more than there is room for
    struct probe_check *c = r->n < r->max ? &r->checks[r->n++] : &beyond;
    *c = (struct probe_check){.id = id, .what = what, .ok = ok};
    return c;
}

__attribute__((format(printf, 2, 3))) static void detail(struct probe_check *c, const char *format,
                                                         ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->detail, sizeof(c->detail), format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) static void remedy(struct probe_check *c, const char *format,
                                                         ...)
{
    if (c->ok)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(c->remedy, sizeof(c->remedy), format, args);
    va_end(args);
}

static void check_capabilities(struct report *r)
{
    bool bpf = capable(CAPABILITY_BPF) || capable(CAPABILITY_SYS_ADMIN);
    bool perfmon = capable(CAPABILITY_PERFMON) || capable(CAPABILITY_SYS_ADMIN);
    bool ptrace = capable(CAPABILITY_SYS_PTRACE);
    bool others = capable(CAPABILITY_DAC_READ_SEARCH);
    struct probe_check *c =
        check(r, "capabilities", "privileges of the bpf backend", bpf && perfmon && ptrace);
    if (c->ok)
        detail(c, "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE are there%s",
               others ? "" : "; for other users' processes CAP_DAC_READ_SEARCH is missing");
    else
        detail(c, "missing:%s%s%s", bpf ? "" : " CAP_BPF", perfmon ? "" : " CAP_PERFMON",
               ptrace ? "" : " CAP_SYS_PTRACE");
    remedy(c, "run as root, or: %s", SETCAP_LINE);
}

static void check_btf(struct report *r)
{
    struct probe_check *c = check(r, "btf", "types of this kernel, to find its fields",
                                  !access("/sys/kernel/btf/vmlinux", R_OK));
    detail(c, "%s", c->ok ? "/sys/kernel/btf/vmlinux is there" : "no /sys/kernel/btf/vmlinux");
    remedy(c, "a kernel built with CONFIG_DEBUG_INFO_BTF=y");
}

// What was not even tried does not say why else it could be missing.
static const char untried[] = "not tried: the probes do not load";

static void load_remedy(struct probe_check *c, const struct trial *t)
{
    if (!t->opened && !strcmp(c->detail, untried))
        remedy(c, "see sched_switch above");
    else if (!t->opened)
        remedy(c, "%s", t->err.hint[0] ? t->err.hint : "see capabilities and btf above");
    else
        remedy(c,
               "a kernel built with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS and CONFIG_PERF_EVENTS");
}

static void check_bpf_parts(struct report *r, const struct trial *t)
{
    struct probe_check *c = check(r, "sched_switch", "seeing threads sleep and wake", t->waits > 0);
    if (c->ok)
        detail(c, "the child's wait was seen");
    else
        detail(c, "%s", t->opened ? "loaded, but the child's wait was not seen" : t->err.text);
    load_remedy(c, t);

    c = check(r, "ring_buffer", "records from the kernel", t->turns > 0);
    if (t->opened)
        detail(c, c->ok ? "%d long turns of the child told" : "nothing came (%d)", t->turns);
    else
        detail(c, "%s", untried);
    load_remedy(c, t);

    c = check(r, "ticks", "the stack of a computing thread", t->running_stack);
    if (c->ok)
        detail(c, "taken %.1f ms after the threshold", (double)t->running_late_ns / 1e6);
    else if (t->opened)
        detail(c, "%s", t->running_why ? t->running_why : "no sample of the computing child");
    else
        detail(c, "%s", untried);
    load_remedy(c, t);

    c = check(r, "sleeping_stack", "the stack of a sleeping thread", t->sleeping_stack);
    if (c->ok)
        detail(c, "read %.1f ms after the threshold", (double)t->sleeping_late_ns / 1e6);
    else if (t->opened)
        detail(c, "%s", t->sleeping_why ? t->sleeping_why : "no sample of the sleeping child");
    else
        detail(c, "%s", untried);
    load_remedy(c, t);
}

static void check_turn_sources(struct report *r, const struct trial *t)
{
    struct probe_check *c = check(r, "fentry", "exact turns at no cost to other processes",
                                  t->opened && !strcmp(t->source, "fentry"));
    if (c->ok)
        detail(c, "loaded and attached to the wait calls");
    else if (t->opened)
        detail(c, "this kernel refuses it; turns are estimated by %s", t->source);
    else
        detail(c, "%s", untried);
    if (t->opened)
        remedy(c, "nothing is lost but exact turn counts (--exact has them, at a cost); needs a "
                  "kernel with CONFIG_FUNCTION_TRACER and "
                  "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS");
    else
        load_remedy(c, t);

    c = check(r, "tracepoints", "--exact, and telling a saturated loop from a stuck one",
              t->traced);
    if (c->ok)
        detail(c, "attached to the system calls and detached");
    else
        detail(c, "%s", t->opened ? strerror(t->traced_errno) : untried);
    if (t->opened)
        remedy(c, "a kernel built with CONFIG_FTRACE_SYSCALLS");
    else
        load_remedy(c, t);
}

static void check_breakpoint(struct report *r, const struct selftest_child *child)
{
    int fd = perf_open_breakpoint(NULL, child->pid, child->step_address, -1);
    int64_t hits = fd < 0 ? fd : perf_arm(fd, 1);
    const struct patience patience = patience_with(child->pid);
    while (hits == 0 && patient(&patience, TRIAL_NS)) {
        usleep(10000);
        hits = perf_count(fd);
    }
    if (fd >= 0)
        close(fd);
    struct probe_check *c =
        check(r, "breakpoint", "telling a saturated loop from a stuck one, gently", hits > 0);
    if (c->ok)
        detail(c, "hit in the child");
    else
        detail(c, "%s", hits < 0 ? strerror((int)-hits) : "opened, but not hit");
    if (hits == -EACCES || hits == -EPERM)
        remedy(c, "sysctl kernel.perf_event_paranoid=2, or: %s", SETCAP_LINE);
    else
        remedy(c, "a debugger may hold the registers, or a virtual machine has none");
}

static void check_memory(struct report *r, const struct selftest_child *child)
{
    struct reader *reader;
    uint64_t value = 0;
    ssize_t n = reader_open(&reader);
    if (!n) {
        n = reader_read(reader, child->pid, child->marker_address, &value, sizeof(value),
                        100 * NS_PER_MS);
        reader_close(reader);
    }
    struct probe_check *c = check(r, "memory", "reading a target's memory (process_vm_readv)",
                                  n == sizeof(value) && value == child->marker);
    if (c->ok)
        detail(c, "the child's memory was read");
    else
        detail(c, "%s", n < 0 ? strerror((int)-n) : "read, but not what it holds");
    remedy(c, "%s", SETCAP_LINE);
}

static void check_yama(struct report *r)
{
    long scope = sysctl_number("/proc/sys/kernel/yama/ptrace_scope");
    bool free_to_look = scope <= 0 || capable(CAPABILITY_SYS_PTRACE);
    struct probe_check *c = check(r, "ptrace_scope", "looking into processes that are no children",
                                  free_to_look && scope < 3);
    if (scope < 0)
        detail(c, "this kernel does not restrict it (no yama)");
    else
        detail(c, "kernel.yama.ptrace_scope is %ld", scope);
    remedy(c, "sysctl kernel.yama.ptrace_scope=0, or: %s", SETCAP_LINE);
}

static void check_sampler(struct report *r, const struct selftest_child *child)
{
    long level = sysctl_number("/proc/sys/kernel/perf_event_paranoid");
    struct sampler *sampler;
    struct sampler_sample sample;
    int found = sampler_open(&sampler, NULL, child->pid);
    if (!found) {
        const struct patience patience = patience_with(child->pid);
        while (!found && patient(&patience, TRIAL_NS)) {
            usleep(10000);
            found = sampler_newest(sampler, &sample);
        }
        sampler_close(sampler);
    }
    struct probe_check *c =
        check(r, "perf_event_paranoid", "proc backend: the stack of a computing thread", found > 0);
    detail(c, "kernel.perf_event_paranoid is %ld: %s%s", level,
           found > 0 ? "the computing child was sampled"
                     : (found < 0 ? strerror(-found) : "opened, but no sample came"),
           found > 0 && opener_needed()
               ? "; it asks for CAP_SYS_ADMIN, which a process of its own keeps to open events for "
                 "the agent"
               : "");
    if (level > 2) // asks for CAP_SYS_ADMIN
        remedy(c, "sysctl kernel.perf_event_paranoid=2");
    else
        remedy(c, "sysctl kernel.perf_event_paranoid=2, or: %s", SETCAP_LINE);
}

static void check_files(struct report *r)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    struct probe_check *c =
        check(r, "files", "an event for each CPU, one for each busy loop", limit.rlim_max >= 1024);
    detail(c, "%llu descriptors at most", (unsigned long long)limit.rlim_max);
    remedy(c, "ulimit -Hn 4096");
}

static bool check_backend(struct report *r, const char *id, const char *what, const struct trial *t)
{
    bool sees = saw_all(t);
    struct probe_check *c = check(r, id, what, sees);
    if (sees)
        detail(c, "saw the child sleep and compute too long; turns by %s", t->source);
    else if (!t->opened || t->err.text[0])
        detail(c, "%s", t->err.text);
    else
        detail(c, "saw %d sleeping and %d computing stalls", t->sleeping, t->running);
    remedy(c, "%s", t->err.hint[0] ? t->err.hint : "see the parts above");
    return sees;
}

static void check_all(struct report *r, const struct selftest_child *child, bool *bpf, bool *proc)
{
    struct trial by_bpf, by_proc;
    try_backend(&by_bpf, BACKEND_BPF, child->pid);
    try_backend(&by_proc, BACKEND_PROC, child->pid);
    check_capabilities(r);
    check_btf(r);
    check_bpf_parts(r, &by_bpf);
    check_turn_sources(r, &by_bpf);
    check_breakpoint(r, child);
    check_memory(r, child);
    check_yama(r);
    check_sampler(r, child);
    check_files(r);
    *bpf = check_backend(r, "bpf", "the bpf backend as a whole", &by_bpf);
    *proc = check_backend(r, "proc", "the proc backend as a whole (own processes)", &by_proc);
}

int probe_selftest(struct probe_check *checks, int max, bool *bpf, bool *proc)
{
    struct report r = {.checks = checks, .max = max};
    struct selftest_child child;
    *bpf = *proc = false;
    int err = selftest_child_start(&child);
    if (err) {
        struct probe_check *c = check(&r, "child", "a child of our own to look at", false);
        detail(c, "%s", strerror(-err));
        return r.n;
    }
    check_all(&r, &child, bpf, proc);
    selftest_child_end(&child);
    return r.n;
}
