// Where snapshots come from: a live session, a recording, another agent over a socket. Commands and the dashboard
// know only this.
//
// Threads: the loop's thread only. Callbacks are never called from within source_open_*.
#ifndef LOOPSCOPE_SOURCE_H
#define LOOPSCOPE_SOURCE_H

#include <uv.h>

#include "error.h"
#include "opts.h"
#include "snapshot/snapshot.h"
#include "wish.h"

struct source;

struct source_callbacks {
    // A new picture. Live: at each tick (1 s, or opts.delay_ns) and at once when snap->nevents > 0.
    // The callee takes a reference to keep it.
    void (*snapshot)(void *arg, struct snap *snap);
    // No more will come: target gone, recording at its end, command ended. err is NULL or the reason.
    void (*end)(void *arg, const struct error *err);
};

// What a kind of source can do; NULL where it cannot.
struct source_ops {
    void (*close)(struct source *s);              // frees s; detaches all
    struct wishes *(*wishes)(struct source *s);   // live only
    void (*resample)(struct source *s);           // a snapshot now ("R")
    int (*seek)(struct source *s, int64_t at_ns); // recordings: the snapshot at or before
    int64_t (*length_ns)(struct source *s);       // recordings
};

struct source {
    const struct source_ops *ops;
    uv_loop_t *loop;
    struct source_callbacks callbacks;
    void *arg;
};

// Chooses by opts->target. Waits for nothing: attaching goes on in the loop; the EVENT_ATTACHED of a
// snapshot tells when stalls are seen. Errors known at once (no such pid) are returned here.
int source_open(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                const struct source_callbacks *callbacks, void *arg, struct error *err);
int source_open_live(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                     const struct source_callbacks *callbacks, void *arg, struct error *err);
// Plays opts->text: as fast as the callee takes it (rate 0) or in steps by seek() (rate < 0).
int source_open_recording(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                          double rate, const struct source_callbacks *callbacks, void *arg,
                          struct error *err);

// What the agent at the socket opts->text sees; it ends with an error when that one ends.
int source_open_socket(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                       const struct source_callbacks *callbacks, void *arg, struct error *err);

#endif
