// What both sources need: whose table is followed, and the events that are no system calls' returns.
//
// The kernel passes a program over while another thread is in the midst of it on the same CPU. Where the kernel may be
// preempted that happens, since 7.0 at tracepoints too; keeping the CPU does not help, as it is then lost at the
// program's last step. The kernel counts what it passes over, and user space has the tables compared
// (fd_track_settle): the table is right again, and the openers of these are not known.
#ifndef LOOPSCOPE_BPF_FD_EVENTS_H
#define LOOPSCOPE_BPF_FD_EVENTS_H

#include "fd_slot.bpf.h"

#define USER_CS 0x33

const volatile unsigned int target = 0; // process

static __always_inline u64 files_of(struct task_struct *task)
{
    u64 files = 0, at = (u64)((struct task_struct___files *)task)->files;
    bpf_probe_read_kernel(&files, sizeof(files), &at); // a number, not a pointer
    return files;
}

// The table of the process is its first thread's, which may have left the one that we followed.
static __always_inline bool follows(struct task_struct *task, u64 files)
{
    if (files == table_of)
        return true;
    if (task->pid != task->tgid || !table_of)
        return false;
    table_of = files;
    sync_all(files, HOW_ALL);
    return true;
}

struct io_cqe {
    s32 res;
} __attribute__((preserve_access_index));

struct io_kiocb {
    u8 opcode;
    struct io_cqe cqe;
} __attribute__((preserve_access_index));

enum {
    IORING_ACCEPT = 13,
    IORING_OPENAT = 18,
    IORING_CLOSE = 19,
    IORING_OPENAT2 = 28,
    IORING_SOCKET = 45
};

// Completions say what io_uring opened; what it closed is found by comparing. Only the first two arguments of the
// event are the same in all versions: the result is read from the request. Without a request it is one more
// completion of an order that gives many (multishot accept).
static __always_inline void look_at_completion(const struct io_kiocb *request)
{
    u64 files = files_of(bpf_get_current_task_btf());
    if (!files || files != table_of)
        return;
    u8 opcode = request ? BPF_CORE_READ(request, opcode) : 0;
    s32 result = request ? BPF_CORE_READ(request, cqe.res) : -1;
    bool opens = opcode == IORING_ACCEPT || opcode == IORING_OPENAT || opcode == IORING_OPENAT2 ||
                 opcode == IORING_SOCKET;
    // A number that it closed may be another file's by now: then the tables do not differ in use.
    if (opens && result >= 0)
        sync_slot(files, result, 0);
    else
        sync_all(files, opcode == IORING_CLOSE ? HOW_ALL : 0);
}

SEC("?tp_btf/io_uring_complete")
int BPF_PROG(on_uring, void *ring, struct io_kiocb *request)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if ((u32)task->tgid != target)
        return 0;
    look_at_completion(request);
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
    if ((u32)task->tgid != target)
        return 0;
    table_of = files_of(task);
    sync_all(table_of, HOW_ALL);
    return 0;
}

unsigned long long mended; // changes that no event told of
unsigned int compare_use;  // set by user space: what was closed is looked for, too

// What no event tells of: run once when all else is attached, and when events were lost.
SEC("iter/task_file")
int baseline(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    if (!task || !ctx->file || (u32)task->tgid != target || task->pid != task->tgid)
        return 0;
    u64 files = files_of(task);
    table_of = files;
    u32 changes = sync_slot(files, ctx->fd, 0);
    sync_slot(files, ctx->fd, HOW_ENDS); // closed meanwhile?
    if (compare_use) {
        compare_use = 0;
        changes += sync_all(files, 0);
    }
    mended += changes;
    return 0;
}

#endif
