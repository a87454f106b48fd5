// The live table of a program on our runtime, as a reader sees it (layout: loopscope/abi.h).
//
// Everything in it is hostile until checked: it lies in the target's memory. Only the copies made here are looked
// at, indices into them are below the counts here, and strings end in them.
//
// A slot is taken over only when two reads agree on its sequence; else the copy of before stays. Copies are kept
// between looks, so that a chunk that has not changed is neither read twice nor looked at closely.
#ifndef LOOPSCOPE_LIVE_TABLE_H
#define LOOPSCOPE_LIVE_TABLE_H

#include <loopscope/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct live_source { // where the bytes come from
    ssize_t (*read)(void *arg, uint64_t offset, void *buf, size_t size); // of the table's file
    bool (*memory)(void *arg, uint64_t address, void *buf,
                   size_t size); // of the process; may be NULL
    void *arg;
    uint64_t size; // of the file
    int pid;
    uint64_t start_time; // of the process; 0 unknown
};

struct live_site { // offsets into strings, all below nstrings
    uint32_t file, function, label, line;
    uint32_t
        first; // the first site that reads the same: two spawns on one line are one to a person
};

struct live_table {
    struct live_source source;
    struct ls_abi_header header; // checked
    bool ready;                  // header has been read and checked once
    struct ls_abi_loop *loops;
    uint32_t nloops;
    struct ls_abi_task *slots;
    uint32_t nslots, slots_cap;
    struct live_site *sites; // site 0 is "unknown"
    uint32_t nsites;
    struct ls_abi_site_stats *stats; // by site, of all loops together; buckets is 0
    bool have_stats;
    char *strings; // ends with a 0
    uint32_t nstrings;
    uint64_t chunks_read, chunks_changed; // of the newest look
    char *scratch;
    size_t scratch_size;
    char why_not[96];
};

void live_table_init(struct live_table *t, const struct live_source *source);
void live_table_free(struct live_table *t);
// A look: 0, or -EAGAIN when the table is just being made, -ESTALE when it belongs to a process that has forked or
// gone, -EPROTO when its bytes make no sense (why_not), -EIO when they cannot be read, -ENOMEM.
int live_table_look(struct live_table *t);

// The slot of a task; NULL when it is not there any more.
const struct ls_abi_task *live_task(const struct live_table *t, uint64_t id);
// The loop that a thread runs, -1 none; and its present task, read anew.
int live_loop_of(const struct live_table *t, int tid);
uint64_t live_current(const struct live_table *t, int loop);
// Reads one task anew.
bool live_task_now(const struct live_table *t, uint64_t id, struct ls_abi_task *ret);
// Durations of a site, all loops together; false when none are known.
bool live_buckets(const struct live_table *t, uint32_t site, uint64_t ret[LS_ABI_SITE_BUCKETS]);
int64_t live_bucket_limit(unsigned bucket);

// Texts, never NULL; "" unknown. Valid until the next look.
const char *live_string(const struct live_table *t, uint32_t offset);
const struct live_site *live_site(const struct live_table *t, uint32_t site); // NULL: unknown

#endif
