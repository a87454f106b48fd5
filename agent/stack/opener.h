// Descriptors for whoever parses: what the helper may ask the agent to open, and the agent's answer to it.
//
// The wish comes from a process that parses hostile bytes and may have been taken over. So a wish names a
// process and a place in it, never a path: the agent finds the path itself and opens regular files only.
#ifndef LOOPSCOPE_STACK_OPENER_H
#define LOOPSCOPE_STACK_OPENER_H

#include <stdint.h>

#include "../error.h"

enum file_wish_kind {
    WISH_MAPPING,  // the file mapped at start
    WISH_DEBUG,    // the separate debug file of this build id
    WISH_PERF_MAP, // the process's perf-PID.map
};

struct file_wish {
    enum file_wish_kind kind;
    int pid;
    uint64_t start, end; // of the mapping
    char build_id[68];
};

struct opener {
    int (*open)(void *arg, const struct file_wish *w); // descriptor, or -errno
    void *arg;
};

// What stands for a process. The descriptors stay with this very program: after an exec, and for whoever
// gets the pid next, they read nothing.
struct process_files {
    int mem_fd, maps_fd;
    uint64_t entry; // of the main program, as the kernel told it; 0 unknown
};

// The agent's side: opens with the agent's rights, read-only. -errno, *err filled.
int open_process_files(int pid, struct process_files *ret, struct error *err);
void close_process_files(struct process_files *f);
int open_file_wish(const struct file_wish *w);

#endif
