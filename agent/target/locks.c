// A futex is only an address. What it belongs to is told by what glibc keeps around it: a mutex has its
// owner's tid 8 bytes further, a thread that is joined has its own tid in the word itself. Nothing else
// (condition variable, semaphore) keeps an owner, and then none is named.
#include "locks.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "fdinfo.h"
#include "procfs.h"
#include "threads.h"

#define MUTEX_OWNER_OFFSET 8
#ifndef F_OFD_SETLKW
#define F_OFD_SETLKW 38
#endif

static bool is_futex_wait(long syscall, const uint64_t *args)
{
    if (syscall == 455) // futex_wait, Linux 6.7
        return true;
    if (syscall != SYS_futex)
        return false;
    int op = (int)(args[1] & FUTEX_CMD_MASK);
    return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET || op == FUTEX_LOCK_PI ||
           op == FUTEX_LOCK_PI2;
}

static bool is_file_lock(long syscall, const uint64_t *args)
{
    return syscall == SYS_flock ||
           (syscall == SYS_fcntl && (args[1] == F_SETLKW || args[1] == F_OFD_SETLKW));
}

bool syscall_is_lock(long syscall, const uint64_t *args)
{
    return is_futex_wait(syscall, args) || is_file_lock(syscall, args);
}

static bool is_thread_of(int pid, int tid)
{
    char comm[64];
    return tid > 0 && procfs_comm(pid, tid, comm, sizeof(comm)) == 0;
}

static void describe_futex(int pid, int tid, const uint64_t *args, struct snap *box,
                           struct cause *cause)
{
    uint64_t address = args[0];
    uint32_t word = 0, owner = 0;
    bool readable = target_read(pid, address, &word, sizeof(word));
    target_read(pid, address + MUTEX_OWNER_OFFSET, &owner, sizeof(owner));
    uint32_t expected = (uint32_t)args[2];
    if (readable && expected > 1 && word == expected && (int)expected != tid &&
        is_thread_of(pid, (int)expected)) {
        cause->lock = snap_printf(box, "the end of thread %u", expected);
        cause->holder_tid = expected;
        return;
    }
    // A contended mutex's word is 2; an owner that is no thread of the process is somebody's counter.
    if (readable && (word == 1 || word == 2) && (int)owner != tid &&
        is_thread_of(pid, (int)owner)) {
        cause->lock = snap_printf(box, "mutex 0x%llx", (unsigned long long)address);
        cause->holder_tid = owner;
        return;
    }
    cause->lock = snap_printf(box, "futex 0x%llx", (unsigned long long)address);
}

// /proc/locks: "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"; waiting ones have "->" after the number.
static int file_lock_holder(const struct stat *st, int not_pid)
{
    FILE *f = fopen("/proc/locks", "re");
    char line[256];
    int holder = 0;
    if (!f)
        return 0;
    for (int i = 0; i < 10000 && !holder && fgets(line, sizeof(line), f); i++) {
        unsigned major_nr, minor_nr;
        unsigned long inode;
        int pid;
        if (sscanf(line, "%*d: %*s %*s %*s %d %x:%x:%lu", &pid, &major_nr, &minor_nr, &inode) ==
                4 &&
            inode == st->st_ino && major_nr == major(st->st_dev) && minor_nr == minor(st->st_dev) &&
            pid != not_pid && pid > 0)
            holder = pid;
    }
    fclose(f);
    return holder;
}

static void describe_file_lock(int pid, long syscall, const uint64_t *args, struct snap *box,
                               struct cause *cause)
{
    char path[64], comm[64];
    struct stat st;
    int fd = (int)args[0];
    cause->lock = syscall == SYS_flock ? "flock" : "file lock (fcntl)";
    fd_describe(pid, fd, false, box, cause);
    cause->nonblock_missing = false;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
    int holder = stat(path, &st) == 0 ? file_lock_holder(&st, pid) : 0;
    if (!holder || procfs_comm(holder, holder, comm, sizeof(comm)) < 0)
        return;
    cause->holder_tid = holder;
    cause->peer = snap_printf(box, "process %d (%s)", holder, comm);
}

void lock_describe(int pid, int tid, long syscall, const uint64_t *args, struct snap *box,
                   struct cause *cause)
{
    if (is_file_lock(syscall, args))
        describe_file_lock(pid, syscall, args, box, cause);
    else
        describe_futex(pid, tid, args, box, cause);
}
