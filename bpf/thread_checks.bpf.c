// Calls of libuv from a thread that is not the loop's: probes on its functions, only when asked for.
//
// Whose a loop is: the thread that ran it last (uv_run), or, where it was running before we came, the thread that
// user space has seen to wait on the loop's epoll. Whether that thread was in its loop at the time of the call is
// not known here; user space settles it before it tells anybody.
//
// The common case, a call by the loop's own thread, takes one trap and one look into a table.
#include "kernel.h"

#include <bpf/bpf_helpers.h>

#include "records.h"
#include "stack_copy.bpf.h"
#include "thread_records.h"

char LICENSE[] SEC("license") = "GPL";

#define TELL_EVERY_NS 1000000000ULL // of one place

// libuv 1.x on x86-64.
#define UV_HANDLE_LOOP 8
#define UV_BACKEND_FD  64

const volatile unsigned int target = 0; // process
unsigned int lost;

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u64);
    __type(value, struct ls_loop_owner);
} loops SEC(".maps"); // by address

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, s32);
    __type(value, u32);
} waiters SEC(".maps"); // tid by epoll; user space's

struct place {
    u64 loop, from; // from: where the call returns to
    u32 call, tid;
};

struct told {
    u64 at_ns, calls; // calls: since then
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct place);
    __type(value, struct told);
} places SEC(".maps");

struct last {
    u64 from, sp;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, struct last);
} lasts SEC(".maps"); // the newest wrong call, by tid

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} calls SEC(".maps");

static __always_inline u64 read_word(u64 at)
{
    u64 word = 0;
    bpf_probe_read_user(&word, sizeof(word), (const void *)at);
    return word;
}

static __always_inline s32 epoll_of(u64 loop)
{
    s32 fd = -1;
    bpf_probe_read_user(&fd, sizeof(fd), (const void *)(loop + UV_BACKEND_FD));
    return fd;
}

static __always_inline bool is_target(void)
{
    return (u32)(bpf_get_current_pid_tgid() >> 32) == target;
}

// How many calls are to be told of; 0: of this place one was told lately.
static __always_inline u64 calls_to_tell(const struct place *p, u64 now)
{
    struct told *t = bpf_map_lookup_elem(&places, p), first = {.at_ns = now};
    if (!t) {
        bpf_map_update_elem(&places, p, &first, BPF_ANY);
        return 1;
    }
    __sync_fetch_and_add(&t->calls, 1);
    if (now - t->at_ns < TELL_EVERY_NS)
        return 0;
    u64 n = t->calls;
    t->at_ns = now;
    t->calls = 0;
    return n;
}

// uv_write ends in a jump to uv_write2: one call, two probes.
static __always_inline bool is_second_probe(u32 tid, u64 from, u64 sp, bool tail)
{
    struct last *l = bpf_map_lookup_elem(&lasts, &tid), now = {.from = from, .sp = sp};
    bool second = tail && l && l->from == from && l->sp == sp;
    if (second)
        now.sp = 0;
    bpf_map_update_elem(&lasts, &tid, &now, BPF_ANY);
    return second;
}

static __always_inline void tell(const struct ls_regs *regs, u64 loop,
                                 const struct ls_loop_owner *owner, u32 about)
{
    u64 now = bpf_ktime_get_ns();
    u32 tid = (u32)bpf_get_current_pid_tgid(), call = about & LS_CHECK_MASK;
    struct place p = {.loop = loop, .from = read_word(regs->sp), .call = call, .tid = tid};
    if (is_second_probe(tid, p.from, regs->sp, about >> LS_CHECK_TAIL & 1))
        return;
    u64 n = calls_to_tell(&p, now);
    struct ls_thread_call *r =
        n ? bpf_ringbuf_reserve(&calls, sizeof(*r) + LS_CHECK_STACK, 0) : NULL;
    if (n && !r)
        __sync_fetch_and_add(&lost, 1);
    if (!r)
        return;
    r->at_ns = now;
    r->loop = loop;
    r->runs = owner->runs;
    r->calls = n;
    r->tid = tid;
    r->owner = owner->tid;
    r->call = call;
    r->fd = owner->fd;
    bpf_probe_read_kernel(r->regs, sizeof(r->regs), regs);
    r->stack_len = copy_stack((u8 *)(r + 1), regs->sp);
    bpf_ringbuf_submit(r, 0);
}

// Each by an offset of its own: the verifier takes no computed one into these registers.
static __always_inline u64 argument(const struct ls_regs *regs, u32 i)
{
    u64 di = READ_ONCE(regs->di), si = READ_ONCE(regs->si), dx = READ_ONCE(regs->dx);
    u64 cx = READ_ONCE(regs->cx), r8 = READ_ONCE(regs->r8), r9 = READ_ONCE(regs->r9);
    return i == 0   ? di
           : i == 1 ? si
           : i == 2 ? dx
           : i == 3 ? cx
           : i == 4 ? r8
           : i == 5 ? r9
                    : read_word(regs->sp + 8);
}

static __always_inline bool owner_of(u64 loop, struct ls_loop_owner *ret)
{
    struct ls_loop_owner *known = bpf_map_lookup_elem(&loops, &loop);
    if (known) {
        *ret = *known;
        return true;
    }
    ret->fd = epoll_of(loop);
    ret->runs = 0;
    u32 *tid = bpf_map_lookup_elem(&waiters, &ret->fd);
    ret->tid = tid ? *tid : 0;
    return tid;
}

SEC("?uprobe/uv_call")
int on_call(void *ctx)
{
    const struct ls_regs *regs = ctx;
    struct ls_loop_owner owner;
    u32 about = (u32)bpf_get_attach_cookie(ctx), cb = about >> LS_CHECK_CB & LS_CHECK_CB_MASK;
    if (!is_target() || (cb && !argument(regs, cb - 1)))
        return 0;
    u64 loop = argument(regs, about >> LS_CHECK_ARG & 1);
    if (about >> LS_CHECK_HANDLE & 1)
        loop = read_word(loop + UV_HANDLE_LOOP);
    if (loop && owner_of(loop, &owner) && owner.tid != (u32)bpf_get_current_pid_tgid())
        tell(regs, loop, &owner, about);
    return 0;
}

// uv_run(loop, mode): the loop is this thread's from now on.
SEC("?uprobe/uv_run")
int on_run(void *ctx)
{
    const struct ls_regs *regs = ctx;
    u64 loop = regs->di;
    struct ls_loop_owner owner, now = {.tid = (u32)bpf_get_current_pid_tgid()};
    if (!is_target())
        return 0;
    now.fd = epoll_of(loop);
    if (owner_of(loop, &owner)) {
        now.runs = owner.runs;
        if (owner.tid != now.tid)
            tell(regs, loop, &owner, (u32)bpf_get_attach_cookie(ctx));
    }
    now.runs++;
    bpf_map_update_elem(&loops, &loop, &now, BPF_ANY);
    return 0;
}

// uv_loop_init(loop): what was known of this memory was another loop's.
SEC("?uprobe/uv_loop_init")
int on_loop_init(void *ctx)
{
    const struct ls_regs *regs = ctx;
    u64 loop = regs->di;
    if (is_target())
        bpf_map_delete_elem(&loops, &loop);
    return 0;
}
