// The processes and threads that are watched.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "privilege.h"
#include "procfs.h"

void tell_thread(struct probe *p, enum probe_thread_what what, int pid, int tid, int parent,
                 int64_t at_ns)
{
    struct probe_thread_event e = {
        .what = what, .pid = pid, .tid = tid, .parent_pid = parent, .at_ns = at_ns};
    if (p->callbacks.thread)
        p->callbacks.thread(p->arg, &e);
}

struct thread *thread_find(struct probe *p, int tid)
{
    struct thread *t;
    HASH_FIND_INT(p->threads, &tid, t);
    return t;
}

struct process *process_find(struct probe *p, int pid)
{
    struct process *process;
    HASH_FIND_INT(p->processes, &pid, process);
    return process;
}

struct thread *thread_add(struct probe *p, struct process *process, int tid)
{
    struct thread *t = thread_find(p, tid);
    if (t)
        return t->process == process ? t : NULL;
    t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->tid = tid;
    t->process = process;
    t->added_ns = now_ns();
    t->break_fd = -1;
    t->iteration = t->iteration_before = INT64_MIN;
    if (p->ops->slot_new(p, t)) {
        free(t);
        return NULL;
    }
    HASH_ADD_INT(p->threads, tid, t);
    DL_APPEND(process->threads, t);
    return t;
}

void thread_remove(struct probe *p, struct thread *t)
{
    probe_trust(p, t->tid, WAIT_NONE, -1, 0);
    peek_stop(p, t);
    p->ops->slot_free(p, t);
    HASH_DEL(p->threads, t);
    DL_DELETE(t->process->threads, t);
    free(t->call_stack);
    free(t);
}

static void remove_threads(struct probe *p, struct process *process)
{
    struct thread *t, *next;
    DL_FOREACH_SAFE(process->threads, t, next)
    thread_remove(p, t);
}

void process_remove(struct probe *p, struct process *process)
{
    remove_threads(p, process);
    p->ops->process_free(p, process);
    HASH_DEL(p->processes, process);
    free(process);
}

struct listing {
    struct probe *p;
    struct process *process;
    bool tell;
    int failed;
};

static int list_one(void *arg, int tid)
{
    struct listing *l = arg;
    if (thread_find(l->p, tid))
        return 0;
    struct thread *t = thread_add(l->p, l->process, tid);
    if (!t)
        l->failed++;
    else if (l->tell)
        tell_thread(l->p, PROBE_THREAD_NEW, l->process->pid, tid, 0, t->added_ns);
    return 0;
}

int process_list_threads(struct probe *p, struct process *process, bool tell)
{
    struct listing l = {.p = p, .process = process, .tell = tell};
    int err = proc_each_thread(process->pid, list_one, &l);
    if (!err && l.failed && p->callbacks.lost) {
        struct probe_lost lost = {
            .pid = process->pid, .records = l.failed, .what = "threads beyond the limit"};
        p->callbacks.lost(p->arg, &lost);
    }
    return err;
}

void process_forget_dead_threads(struct probe *p, struct process *process)
{
    struct thread *next;
    for (struct thread *t = process->threads; t; t = next) {
        char path[64];
        struct stat unused;
        next = t->next;
        snprintf(path, sizeof(path), "/proc/%d/task/%d", process->pid, t->tid);
        if (stat(path, &unused) && errno == ENOENT)
            thread_exited(p, t->tid, p->now_ns);
    }
}

static int check_kind(int pid, const struct proc_stat *stat, struct error *err)
{
    if (stat->flags & PROC_PF_KTHREAD)
        return error_set(err, STATUS_NO_ATTACH, EINVAL, "process %d is a kernel thread", pid);
    if (stat->state == 'Z' || stat->state == 'X')
        return error_set(err, STATUS_NO_ATTACH, ESRCH, "process %d has ended (a zombie)", pid);
    if (proc_is_32bit(pid))
        return error_set(err, STATUS_NO_ATTACH, ENOTSUP,
                         "process %d is a 32-bit program: only 64-bit ones can be watched", pid);
    return 0;
}

// Reading memory is what all else rests on, and it needs the rights of a debugger.
static int check_access(int pid, struct error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    int e = errno;
    if (e == ENOENT)
        return error_set(err, STATUS_NO_ATTACH, ESRCH, "no process %d", pid);
    error_set(err, STATUS_NO_ATTACH, e, "no permission to look into process %d: %s", pid,
              strerror(e));
    privilege_hint_process(err, pid);
    return -e;
}

static int process_check(int pid, struct proc_stat *stat, struct error *err)
{
    int e = proc_stat(pid, 0, stat);
    if (e == -ESRCH)
        return error_set(err, STATUS_NO_ATTACH, ESRCH, "no process %d", pid);
    if (e)
        return error_set(err, STATUS_NO_ATTACH, -e, "cannot read /proc/%d/stat: %s", pid,
                         strerror(-e));
    e = check_kind(pid, stat, err);
    return e ? e : check_access(pid, err);
}

int probe_add_process(struct probe *p, int pid, struct error *err)
{
    if (process_find(p, pid))
        return 0;
    struct proc_stat stat;
    int e = process_check(pid, &stat, err);
    if (e)
        return e;
    struct process *process = calloc(1, sizeof(*process));
    if (!process)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    process->pid = pid;
    process->start_time = stat.start_time;
    process->start_stack = stat.start_stack;
    e = p->ops->process_new(p, process);
    if (e) {
        free(process);
        return error_set(err, STATUS_NO_ATTACH, -e, "cannot watch process %d: %s", pid,
                         strerror(-e));
    }
    HASH_ADD_INT(p->processes, pid, process);
    e = process_list_threads(p, process, true);
    if (e || !process->threads) {
        process_remove(p, process);
        return error_set(err, STATUS_NO_ATTACH, e ? -e : ESRCH, "process %d has ended", pid);
    }
    p->ops->seed(p, process, NULL);
    wake_at(p, now_ns());
    return 0;
}

void probe_remove_process(struct probe *p, int pid)
{
    struct process *process = process_find(p, pid);
    if (process)
        process_remove(p, process);
}

void thread_exited(struct probe *p, int tid, int64_t at_ns)
{
    struct thread *t = thread_find(p, tid);
    if (!t)
        return;
    int pid = t->process->pid;
    thread_remove(p, t);
    tell_thread(p, PROBE_THREAD_EXIT, pid, tid, 0, at_ns);
}

void process_exited(struct probe *p, int pid, int64_t at_ns)
{
    struct process *process = process_find(p, pid);
    if (!process)
        return;
    while (process->threads)
        thread_exited(p, process->threads->tid, at_ns);
    process = process_find(p, pid); // unless a callback removed it
    if (process)
        process_remove(p, process);
    tell_thread(p, PROBE_PROCESS_EXIT, pid, pid, 0, at_ns);
}

// exec ends all threads but one, which becomes the leader whatever it was.
void process_execed(struct probe *p, int pid, int64_t at_ns)
{
    struct process *process = process_find(p, pid);
    if (!process)
        return;
    struct proc_stat stat;
    remove_threads(p, process);
    if (!proc_stat(pid, 0, &stat))
        process->start_stack = stat.start_stack;
    tell_thread(p, PROBE_PROCESS_EXEC, pid, pid, 0, at_ns);
    process = process_find(p, pid);
    if (process) {
        process_list_threads(p, process, true);
        p->ops->seed(p, process, NULL);
    }
}
