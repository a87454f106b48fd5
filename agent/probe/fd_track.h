// Who opens the descriptors of one process: a slot a descriptor, kept equal to the kernel's own table, with
// the key of the stack that opened it, and exact counts a key.
//
// Dear to others where the kernel refuses fexit: a tracepoint on every system call's return taxes every process
// of the machine by some 0.1 us a call. So a tracker is attached for a while, when something looks
// like a leak or somebody asks, and detached when enough is known.
//
// Keys are finer than stacks: one stack may have several keys, never one key several stacks.
// Threads: one at a time.
#ifndef LOOPSCOPE_PROBE_FD_TRACK_H
#define LOOPSCOPE_PROBE_FD_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/fd_records.h"
#include "../../bpf/records.h"
#include "../error.h"

struct fd_track;

enum fd_track_source {
    FD_TRACK_BEST,
    FD_TRACK_FEXIT,      // the kernel's functions that make and end descriptors: others pay nothing
    FD_TRACK_TRACEPOINT, // the return of every system call
};

struct fd_slot {
    unsigned int key; // 0: opened before the tracker, inherited or found by comparison
    int64_t opened_ns;
    int tid;
    uint64_t task; // that the thread ran at that moment, see fd_track_tasks; 0 none or not known
    uint32_t site; // where it was spawned, by the number in its program's table; 0 not known
};

struct fd_opening { // the first one of a key
    unsigned int key;
    int tid, fd;
    long syscall;
    struct ls_regs regs;
    const uint8_t *stack; // from regs.sp on; valid within the callback
    size_t stack_len;
    int nframes; // of a language that has its frames elsewhere, see fd_track_frames
    const struct ls_fd_frame *frames;
};
typedef void (*fd_opening_cb)(void *arg, const struct fd_opening *o);

struct fd_track_config {
    int pid;
    int descriptors; // the highest number to follow and one
    enum fd_track_source source;
    bool handles; // follow libuv's handles too, as far as can be: see fd_track_has_handles
};

// Attaches to the process. -errno, *err filled.
int fd_track_open(struct fd_track **ret, const struct fd_track_config *config, fd_opening_cb cb,
                  void *arg, struct error *err);
void fd_track_tell(struct fd_track *t, fd_opening_cb cb, void *arg); // in place of open's

// The same in a thread, where the caller has no time to wait. A start ends by fd_track_started (but 0) or fd_track_give_up.
struct fd_track_start;
int fd_track_start(struct fd_track_start **ret, const struct fd_track_config *config); // -errno
// 1: *ret is open, and all that was told meanwhile waits in it; 0: not yet; -errno, *err filled.
int fd_track_started(struct fd_track_start *s, struct fd_track **ret, fd_opening_cb cb, void *arg,
                     struct error *err);
void fd_track_give_up(struct fd_track_start *s); // waits for nothing; NULL is fine

enum fd_track_source fd_track_in_use(const struct fd_track *t);
const char *fd_track_source(const struct fd_track *t); // "fexit", "sys_exit"
// From now on each opening by this thread is told with the task that its loop runs.
void fd_track_tasks(struct fd_track *t, int tid, const struct ls_fd_tasks *tasks);
// From now on the frames of this thread are taken with each opening: they lie at `thread`, by `place`.
void fd_track_frames(struct fd_track *t, int tid, uint64_t thread, const struct ls_fd_place *place);
void fd_track_close(struct fd_track *t); // detaches; NULL is fine
void fd_track_dispatch(struct fd_track *t);
int fd_track_fd(struct fd_track *t); // readable: dispatch
// False: the slot does not hold this file (it moved on, or the number is too high).
bool fd_track_slot(struct fd_track *t, int fd, uint64_t file, struct fd_slot *ret);
bool fd_track_is_open(struct fd_track *t, int fd); // by the table, whatever the file
int fd_track_highest(struct fd_track *t);          // numbers followed
bool fd_track_counts(struct fd_track *t, unsigned int key, uint64_t *opened, uint64_t *closed);

struct fd_handle { // of libuv, open
    uint64_t address;
    const char *type; // "uv_timer"; static
    unsigned int key; // of the opening, as of a slot
    int64_t opened_ns;
};
typedef void (*fd_handle_cb)(void *arg, const struct fd_handle *h);
bool fd_track_has_handles(const struct fd_track *t);
void fd_track_list_handles(struct fd_track *t, fd_handle_cb cb, void *arg);

uint64_t fd_track_lost(struct fd_track *t); // openings whose stack could not be taken
// Openings and closings that were not seen: where the kernel may be preempted, it passes a program over while a
// thread that lost the CPU is in the midst of it. Compares the tables when there are new ones, so that only the
// openers of these are not known (key 0). Returns all so far.
uint64_t fd_track_settle(struct fd_track *t);

#endif
