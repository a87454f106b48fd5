// A live session: probe's records and stacker's answers go into the model, rules judge it, snapshots come
// out. Knows nothing of libuv: source_live.c calls it when there is something to do.
//
// Threads: main thread only. Ownership: opts must outlive it.
#ifndef LOOPSCOPE_SESSION_H
#define LOOPSCOPE_SESSION_H

#include "opts.h"
#include "snapshot/snapshot.h"
#include "wish.h"

struct session;

// Attaches (or begins to look for what to attach to). -errno, *err filled.
int session_open(struct session **ret, const struct opts *opts, struct error *err);
void session_close(struct session *s); // detaches; ends the command it started. NULL is fine
int session_probe_fd(struct session *s);
int session_stacker_fd(struct session *s); // may change when the helper is restarted; -1 none now
// Takes in what is there and does what is due. Returns a snapshot to show (the caller's reference), or NULL.
struct snap *session_dispatch(struct session *s);
int64_t session_wait_ns(struct session *s);      // at most this long until the next dispatch
bool session_has_ended(const struct session *s); // its last snapshot has been given
struct wishes *session_wishes(struct session *s);
void session_resample(struct session *s); // a snapshot at the next dispatch

#endif
