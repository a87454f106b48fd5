// Calls of libuv from a wrong thread, as thread_checks.bpf.c tells them. Plain fixed-size records, no pointers.
#ifndef LOOPSCOPE_THREAD_RECORDS_H
#define LOOPSCOPE_THREAD_RECORDS_H

// What the cookie of a probe says of its function. Bits LS_CHECK_CB and up: the number of the argument that is the
// callback, and one; 0 none. Without a callback such a call is synchronous and leaves the loop alone.
enum {
    LS_CHECK_MASK = 0xff, // its number in user space's table
    LS_CHECK_ARG = 8,     // from this bit on: which argument tells the loop, 0 or 1
    LS_CHECK_HANDLE = 9,  // this bit: that argument is a handle, which knows its loop
    LS_CHECK_TAIL = 10,   // this bit: others of these functions end in a jump to it
    LS_CHECK_CB = 12,
    LS_CHECK_CB_MASK = 7,
    LS_CHECK_STACK = 16384, // bytes copied at most
};

struct ls_loop_owner {       // of a uv_loop_t
    unsigned long long runs; // of it, by any thread
    unsigned int tid;        // whose run is the newest
    int fd;                  // its epoll
};

// One of the calls from one place; stack_len bytes follow.
struct ls_thread_call {
    unsigned long long at_ns, loop;
    unsigned long long runs;  // of the loop so far; 0 none was seen
    unsigned long long calls; // from this place since it was told before, this one too
    unsigned int tid, owner, call;
    int fd; // the loop's epoll
    unsigned int stack_len, pad;
    unsigned long long regs[21]; // in the order of struct ls_regs
};

#endif
