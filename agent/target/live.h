// The tasks of programs on our runtime, by the live table that each of them keeps: found in the maps, read every so
// often, judged from look to look, put into snapshots.
#ifndef LOOPSCOPE_LIVE_H
#define LOOPSCOPE_LIVE_H

#include "live_book.h"
#include "live_table.h"
#include "model.h"

struct live {          // one table
    struct live *next; // of the same process
    int pid, ordinal;  // ordinal: from 0, of the process
    int fd;            // of the table's file; -1: read through the process's memory
    uint64_t base;     // where the process has mapped it
    struct live_table table;
    struct live_book book;
    int64_t next_ns, read_ns;
    bool read_once, refused;
};

// live_open.c
// The tables in the maps of a process that are not in the list yet. The number found.
int live_find(struct live **list, int pid, uint64_t start_ticks);
void live_free(struct live *list); // NULL is fine

// live.c
void live_tick(struct model *m, struct proc *p);
int64_t live_next_ns(const struct model *m); // of all processes; INT64_MAX
// The task that a loop's thread runs at this moment; false when it is none, or not known.
bool live_running_task(struct proc *p, int tid, struct snap *box, struct task_ref *ret);

// live_rows.c
#define LIVE_ROWS_MAX (WISH_ROWS_MAX + 500) // in a snapshot
size_t live_count_tasks(const struct proc *p);
size_t live_count_sites(const struct proc *p);
void live_put_totals(const struct proc *p, struct snap *s, struct snap_process *to);
void live_put_sites(const struct proc *p, struct snap *s);
// The page wished for, after the rows that s has already, and the suspicious tasks that are not on it.
void live_put_rows(struct model *m, struct snap *s, bool wished);
const char *live_site_text(const struct live_table *t, uint32_t site,
                           struct snap *box); // NULL: unknown
const char *live_name(const struct live_table *t, const struct ls_abi_task *s, struct snap *box);

#endif
