// What both sources need: whose table is followed, and the events that are no system calls' returns.
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

struct io_kiocb {
    u8 opcode;
} __attribute__((preserve_access_index));

struct io_uring_cqe_result {
    u64 user_data;
    s32 res;
};

enum {
    IORING_ACCEPT = 13,
    IORING_OPENAT = 18,
    IORING_CLOSE = 19,
    IORING_OPENAT2 = 28,
    IORING_SOCKET = 45
};

// Completions say what io_uring opened; what it closed is found by comparing.
SEC("?tp_btf/io_uring_complete")
int BPF_PROG(on_uring, void *ring, void *request, void *cqe)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if ((u32)task->tgid != target || !request)
        return 0;
    u64 files = files_of(task);
    if (!files || files != table_of)
        return 0;
    u8 opcode = BPF_CORE_READ((struct io_kiocb *)request, opcode);
    struct io_uring_cqe_result done = {};
    bpf_probe_read_kernel(&done, sizeof(done), cqe);
    bool opens = opcode == IORING_ACCEPT || opcode == IORING_OPENAT || opcode == IORING_OPENAT2 ||
                 opcode == IORING_SOCKET;
    // A number that it closed may be another file's by now: then the tables do not differ in use.
    if (opens && done.res >= 0)
        sync_slot(files, done.res, 0);
    else
        sync_all(files, opcode == IORING_CLOSE ? HOW_ALL : 0);
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

// What was there before: run once when all else is attached.
SEC("iter/task_file")
int baseline(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    if (!task || !ctx->file || (u32)task->tgid != target || task->pid != task->tgid)
        return 0;
    u64 files = files_of(task);
    table_of = files;
    sync_slot(files, ctx->fd, 0);
    sync_slot(files, ctx->fd, HOW_ENDS); // closed meanwhile?
    return 0;
}

#endif
