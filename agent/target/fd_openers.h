// Who opened the descriptors of a process, while a tracker is attached to it (probe/fd_track.h): a stack for
// each of the tracker's keys, asked for as the first opening of the key comes in.
#ifndef LOOPSCOPE_FD_OPENERS_H
#define LOOPSCOPE_FD_OPENERS_H

#include "fd_book.h"
#include "fd_tasks.h"

struct fd_openers;

enum fd_opener {
    FD_OPENER_NONE,    // the tracker was not there, or could not tell
    FD_OPENER_PENDING, // its stack is being read
    FD_OPENER_KNOWN,
};

struct fd_place { // where a descriptor comes from
    struct stack *stack;
    int64_t opened_ns, began_ns; // began: the tracker watches since
    bool accepted;
    bool user;           // the stack has a frame of the program's own
    struct fd_task task; // that opened it
};

// Begins to attach, which takes a while. -errno.
int fd_openers_new(struct fd_openers **ret, struct model *m, struct proc *p);
// 1: it is attached; 0: not yet, and nothing else may be asked of it but its end; -errno: no tracker can be had here.
int fd_openers_ready(struct fd_openers *o, const struct proc *p);
void fd_openers_free(struct fd_openers *o); // detaches; NULL is fine
void fd_openers_dispatch(struct fd_openers *o);
// Tells the tracker of loops of tasks that are new since the last time.
void fd_openers_tasks(struct fd_openers *o, const struct proc *p);
enum fd_opener fd_openers_find(struct fd_openers *o, const struct fd_row *row,
                               struct fd_place *ret);
// libuv's open handles, where they are followed; false: they are not.
bool fd_openers_handles(struct fd_openers *o, fd_handle_cb cb, void *arg);
enum fd_opener fd_openers_of_handle(const struct fd_openers *o, const struct fd_handle *h,
                                    struct fd_place *ret);
// What to say of the place besides its stack: why there is no line. what: of the descriptor itself.
const char *fd_openers_note(const struct fd_place *at, const char *what, char *buf, size_t size);
// Exact counts of a stack since the tracker began, short-lived descriptors included; false: not known.
bool fd_openers_counts(struct fd_openers *o, const struct stack *stack, int64_t *opened,
                       int64_t *closed);
int64_t fd_openers_since_ns(const struct fd_openers *o);
int fd_openers_fd(const struct fd_openers *o); // readable: dispatch
// Holds the tracker's table against the inventory, and has it mended where events are known to be lost.
void fd_openers_compare(struct fd_openers *o, const struct fd_row *rows, int n);
// How far the tracker's table was from the inventory at the last look.
int64_t fd_openers_drift(const struct fd_openers *o);

#endif
