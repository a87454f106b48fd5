// The few kernel types that the programs look into, by hand: CO-RE finds the fields' places in the
// running kernel. Only what is named here is needed to build; no dump of a kernel's types is kept.
#ifndef LOOPSCOPE_BPF_KERNEL_H
#define LOOPSCOPE_BPF_KERNEL_H

#include <linux/types.h>

#include <linux/bpf.h>

#include <stdbool.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct {
    unsigned long start_stack;
};

struct sched_entity {
    u64 sum_exec_runtime; // ns on a CPU, ever
};

struct sched_info {
    unsigned long long run_delay;
};

typedef struct {
    int counter;
} atomic_t;

struct signal_struct {
    atomic_t live; // threads left
};

struct task_struct {
    unsigned int __state;
    int pid, tgid; // tid and process id in the kernel's words, of the initial namespace
    void *stack;
    struct mm_struct *mm;
    struct signal_struct *signal;
    unsigned int on_cpu; // a byte since 7.x: only what has no sign is read in its true size
    struct sched_entity se;
    struct sched_info sched_info;
};

// Before 5.14.
struct task_struct___old {
    long state;
};

struct bpf_iter_meta {
    void *seq;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

struct linux_binprm;

#pragma clang attribute pop

enum { TASK_STOPPED = 4, TASK_TRACED = 8 };

#define READ_ONCE(x)     (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))
#define barrier()        asm volatile("" ::: "memory")

#endif
