// Wishes flow against the stream: what rules, views and commands want to know better, with an expiry.
// One small struct a session; whoever wishes writes its own fields; probe and target read it once a tick.
#ifndef LOOPSCOPE_WISH_H
#define LOOPSCOPE_WISH_H

#include <stdbool.h>
#include <stdint.h>

#define WISH_ROWS_MAX 10000

struct wish_rows {    // a page of rows; sorted and filtered in target
    int64_t until_ns; // expires; 0: no wish
    int pid, tid;     // 0: all
    int first, count; // at most WISH_ROWS_MAX
    char filter[128]; // substring of name or site; "!x" inverts
    unsigned flags;   // any of enum task_flag; 0 all
    int state;        // enum task_state, -1 all
    char sort[16];    // "age", "busy", "name", "state"; "-" before inverts
};

struct wishes {
    struct wish_rows tasks, fds;
    int64_t fd_stacks_until_ns;     // attach opener probes
    int64_t handles_until_ns;       // and probes on libuv's handles, from the tracker's attach on
    int64_t thread_checks_until_ns; // probes on libuv's functions, for calls from other threads
    int64_t gc_walk_until_ns;
};

#endif
