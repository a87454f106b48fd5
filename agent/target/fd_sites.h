// The lives of descriptors by the site that opened them: what the leak rules judge by.
//
// A count that grows says nothing: pools, caches and traffic grow too. What tells a leak is that of the
// descriptors that got as old as H hardly any is ever closed, that they lie unused, and that they keep
// coming. So a site is looked at in cohorts, one a horizon H: those opened at least 2 H ago that
// lived longer than H. Horizons run from 30 s to 40 min (times --time-scale), because what is long is
// different for a request's file and for a client's connection.
//
// What was used within H does not count, neither as survivor nor as closed: a pool's connections live long
// because they are needed.
//
// Of an open descriptor its opening and last use are kept; of a closed one only, for each horizon that it
// outlived, one count in the time slot it was opened in, so that it joins its cohort when that is 2 H old.
//
// Pure: time comes in, nothing is read. Times: any clock, ns. Main thread only.
#ifndef LOOPSCOPE_FD_SITES_H
#define LOOPSCOPE_FD_SITES_H

#include <stdbool.h>
#include <stdint.h>

#include "../snapshot/snapshot.h"

#define FD_SLOTS   10 // of a quarter of a horizon: 2 H and a little
#define FD_WINDOWS 4  // readings of the count, for growth

struct fd_site;

struct fd_life {                 // one open descriptor; owned by whoever opened it
    struct fd_life *prev, *next; // of its site, by time of opening
    struct fd_site *site;
    int64_t opened_ns, used_ns;
    bool before; // was there before anybody looked: its age is a lower bound, it joins no cohort
};

struct fd_outlived { // closed descriptors that lived longer than one horizon
    uint32_t recent[FD_SLOTS];
    int64_t slot;    // number of the newest slot
    uint64_t joined; // opened 2 H ago and longer
};

struct fd_site {
    int64_t began_ns; // watched since
    int64_t
        until_ns; // its openers have not been followed since, what is known stands; 0: still watched
    int64_t until_period_ns; // how often we looked then
    int64_t opened, closed, open;
    struct fd_life *lives; // oldest first
    struct fd_outlived outlived[FD_HORIZONS];
    int64_t counts[FD_WINDOWS], counted_ns[FD_WINDOWS]; // newest first
    int ncounts;
};

// Those of a site that lived too short for any look, where somebody who follows each opening counts them all.
struct fd_unseen {
    int64_t n;
    int64_t before, site_opened, site_closed; // when the present following began
};

struct fd_clock { // how long a horizon is, and how often we look
    double scale;
    int64_t period_ns;
};

int64_t fd_horizon_ns(const struct fd_clock *clock, int i); // i < FD_HORIZONS

void fd_opened(struct fd_site *site, struct fd_life *life, int64_t at_ns, bool before);
void fd_used(struct fd_life *life, int64_t at_ns);
void fd_closed(const struct fd_clock *clock, struct fd_life *life, int64_t at_ns);
// Its openers are followed again, since then: what was not seen in between counts neither way, so the watch begins anew.
void fd_site_resume(struct fd_site *site, int64_t since_ns);
// The counts of a window, for growth; call it with each look.
void fd_site_tick(const struct fd_clock *clock, struct fd_site *site, int64_t now_ns);
// Its openings are followed from now on.
void fd_unseen_begin(struct fd_unseen *unseen, const struct fd_site *site);
// What has been opened and closed since then, as of the newest look: later ones would pass for closed.
void fd_unseen_count(struct fd_unseen *unseen, const struct fd_site *site, int64_t opened,
                     int64_t closed);
// Fills what is told by numbers: counts, ages, cohorts (room for FD_HORIZONS of them), growth.
void fd_site_facts(const struct fd_clock *clock, struct fd_site *site, int64_t now_ns,
                   struct snap_fd_site *ret);

#endif
