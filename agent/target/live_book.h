// What is remembered of the tasks of one live table between two looks: flags that take time to tell, and sums by
// spawn site.
#ifndef LOOPSCOPE_LIVE_BOOK_H
#define LOOPSCOPE_LIVE_BOOK_H

#include "../snapshot/snapshot.h"
#include "live_table.h"
#include "usual.h"

struct live_mark {   // of one slot
    uint64_t id;     // whose mark it is
    uint64_t steps;  // at the newest look
    int64_t gave_up; // when whoever awaited it had given up; 0 not
    uint64_t steps_given_up;
    int64_t over_ns; // first seen ended
    unsigned flags;  // enum task_flag
    bool was_awaited;
    uint32_t wait_site; // at the newest look, where it waited for somebody's work; 0 not
    uint32_t waited_ms; // and for how long
};

#define LIVE_WINDOWS 4

struct live_sum { // of one spawn site
    int64_t live, orphaned, over_unread, oldest_ns, longest_wait_ns;
    int64_t then[LIVE_WINDOWS], then_ns[LIVE_WINDOWS]; // live tasks at earlier times, newest first
    bool awaited_now;
    uint32_t looks, yields; // at tasks that have run often, and those found to have yielded
    int64_t usual_ns;       // nine in ten of those that ended took at most so long; SNAP_UNKNOWN
    int64_t p99_ns;
    uint64_t usual_of;  // how many had ended then
    struct usual waits; // that were seen to end, of tasks that awaited here
};

struct live_locks;

struct live_book {
    struct live_mark *marks;
    uint32_t nmarks;
    struct live_sum *sums;
    uint32_t nsums;
    int64_t total, by_state[8];
    int64_t now_ns, before_ns; // of this look, and of the one before
    double time_scale;
    struct live_locks *locks; // of this look: live_graph.c; NULL: none
    bool closed; // no thread but its loops' could wake a task, and these wait without a timer
    int64_t loops_still_ns; // since when no loop has turned
    uint64_t turns;
};

void live_book_free(struct live_book *b);
int live_book_judge(struct live_book *b, const struct live_table *t, int64_t now_ns, double scale);
enum task_state live_state(const struct ls_abi_task *s);
bool live_is_over(const struct ls_abi_task *s);
static inline bool live_counts(const struct ls_abi_task *s) // a task of the program
{
    return s->id && !(s->flags & LS_ABI_SYSTEM);
}
static inline bool live_is_parked(const struct ls_abi_task *s)
{
    return s->state == LS_ABI_WAITING || s->state == LS_ABI_ENDING;
}
int64_t live_wait_ns(const struct ls_abi_task *s, int64_t now_ns); // since it last ran

// live_graph.c: who waits for whom. Sets TASKF_CYCLE and TASKF_NO_WAKER.
void live_graph_judge(struct live_book *b, const struct live_table *t);
// The task that this one waits for: awaited, or holder of the lock; of a group's, one that is on a cycle with it,
// else any. 0: none.
uint64_t live_waits_for(const struct live_book *b, const struct live_table *t,
                        const struct ls_abi_task *s);
void live_locks_free(struct live_locks *l);

// live_room.c: who waits for room in a group that will never have any. Sets TASKF_NO_WAKER; after live_graph_judge.
void live_room_judge(struct live_book *b, const struct live_table *t);

#endif
