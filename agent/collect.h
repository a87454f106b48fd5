// What most commands do: open the source, look at its snapshots for a while, keep the last one.
//
// --for counts from the moment something is attached (so that a window is as long as asked for), or from
// the start when nothing is. A recording is played to its end, or for the first --for of it.
#ifndef LOOPSCOPE_COLLECT_H
#define LOOPSCOPE_COLLECT_H

#include <stdio.h>
#include <uv.h>

#include "error.h"
#include "export/export.h"
#include "export/history.h"
#include "opts.h"
#include "snapshot/snapshot.h"
#include "wish.h"

#define FOREVER OPT_UNSET

struct collect {
    // In:
    const struct opts *opts;
    int64_t for_ns;       // the command's default; FOREVER: until ^C
    bool waits_for_match; // no match is waited for (watch, serve, record), else it is an error
    bool keep_history;
    bool prints;                                  // lines while it lasts: no progress among them
    void (*snapshot)(void *arg, struct snap *s);  // NULL is fine
    int (*opening)(void *arg, struct error *err); // when the loop is there; NULL is fine
    void (*closing)(void *arg); // before the loop winds down: close your handles; NULL is fine
    void (*played)(void *arg); // a recording is at its end, and what it showed stays; NULL: it ends
    void *arg;
    // Out:
    struct snap *last; // one reference, NULL when none came
    struct history *history;
    int64_t judged_ns; // the longest that any loop was judged
    bool saw_loop, attached, interrupted, ended;
    struct error err; // why it ended, text empty: no error
    uv_loop_t *loop;  // while collect_run lasts
    void *state;      // collect.c's
};

// 0, or -errno with c->err filled and nothing to show. Call collect_finish in both cases.
int collect_run(struct collect *c);
void collect_stop(struct collect *c); // from a callback: enough
// Somebody else's wishes, in place of the command's own until they expire; a snapshot now.
void collect_wish(struct collect *c, const struct wishes *w);
void collect_look(struct collect *c);
void collect_finish(struct collect *c);

// The exit status of a table or report: clean, or too early when no loop was seen.
enum status collect_status(const struct collect *c);
// Reports c->err on stderr, or that nothing was seen, and returns the status of that.
int collect_failed(const struct collect *c);

struct export_opts export_opts_of(const struct opts *opts, unsigned parts);
bool color_of(const struct opts *opts, FILE *out);
// Collects for --for (or default_ns) and prints these parts, as text or JSON. An exit status.
int show_parts(const struct opts *opts, unsigned parts, int64_t default_ns);

#endif
