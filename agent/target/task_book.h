// What is remembered of the tasks of one process between two readings.
#ifndef LOOPSCOPE_TASK_BOOK_H
#define LOOPSCOPE_TASK_BOOK_H

#include "model.h"
#include "usual.h"

struct task_site;

struct task { // one seen in the newest reading; texts lie in the book's box
    UT_hash_handle hh;
    uint64_t address, awaiter;
    int64_t number, first_ns, waits_since_ns;
    char id[24];
    const char *name, *coroutine, *site, *await_site, *waits_on, *error;
    enum task_state state;
    unsigned flags;
    bool had_awaiter, seen, counted, end_counted, birth_seen;
    struct task_site *at;
    struct stack *chain;
};

struct task_site {
    UT_hash_handle hh;
    char *site; // key
    char *name; // of its coroutine; NULL unknown
    int64_t live, orphaned, oldest_ns, mean_ns, p99_ns;
    int64_t spawned, completed, failed, cancelled; // since the attach, as far as seen
    int64_t live_then[4], then_ns[4];              // live counts of earlier windows, newest first
    struct usual lives;                            // of those whose beginning and end were seen
};

struct task_book {
    struct task *tasks;      // by address
    struct task_site *sites; // by name
    struct snap *box;        // of the newest reading
    int64_t next_ns, asked_ns, read_ns, period_ns, cost_before_ns;
    bool asking, ever_read;
    int failures; // readings in a row
    uint64_t next_id;
    int64_t total, unstable, cut;
    int64_t by_state[8];
    double time_scale; // of horizons and windows
    char why_not[128];
};

struct task_book *book_new(void);
void book_free(struct task_book *b);
void book_read(struct task_book *b, const struct tasks_answer *a, int64_t now_ns, double scale);

#endif
