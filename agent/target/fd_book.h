// The descriptors of one process, looked over each second or two: which are new, which are gone, which lie unused;
// grouped by the site that opened them, or by what they are where that is not known.
//
// Ownership: the model's process owns its book. Times: CLOCK_MONOTONIC ns.
#ifndef LOOPSCOPE_FD_BOOK_H
#define LOOPSCOPE_FD_BOOK_H

#include "../probe/fds.h"
#include "fd_sites.h"
#include "fd_tasks.h"
#include "model.h"

struct fd_openers;

struct fd_group { // descriptors of one site: a line of the program, or a stack without one
    UT_hash_handle hh;
    char *key;
    const char *kind; // static
    char *note;       // NULL none
    struct stack *stack;
    struct fd_site site;
    bool leaks, settled; // what the rules said of it last
    bool handles;        // of libuv, not descriptors
    int shown;           // index in the newest snapshot; -1 not in it
    struct fd_unseen unseen;
    int64_t known_lying;    // old and unused when its openers had been followed
    int64_t known_early;    // unused for a moment, then
    int64_t quiet_since_ns; // has had no descriptor since; 0 has some
};

struct fd_entry { // one open descriptor
    UT_hash_handle hh;
    int fd;
    struct fd_row row;
    struct fd_life life;
    struct fd_group *group;
    int64_t close_wait_since_ns; // 0 not in it
    char *target;                // path or peer; NULL not looked up yet
    unsigned int round;          // of the newest look it was seen in
    struct fd_task task;         // that opened it
    int64_t task_over_ns;        // first seen ended; 0: it lasts, or is not known
    bool users;                  // opened by the program's own code, not the runtime's
};

struct handle_entry { // one open handle of libuv
    UT_hash_handle hh;
    uint64_t address;
    int64_t opened_ns;
    struct fd_life life;
    struct fd_group *group;
    unsigned int round;
};

struct fd_book {
    struct fd_entry *entries;     // by number
    struct handle_entry *handles; // by address
    bool handles_seen;            // they are followed
    struct fd_group *groups;      // by key
    struct fd_clock clock;
    unsigned int round, quiet_rounds; // one after another, that found nothing come or gone
    uint64_t changes, changes_before;
    int64_t began_ns, next_ns, cost_ns;
    struct fd_openers *openers;  // NULL: not followed
    struct fd_openers *starting; // not ready yet; NULL none
    int64_t openers_again_ns;    // not before
    bool early;                  // followed on little suspicion, for a short time
    int64_t early_again_ns;      // not before
};

void fd_book_free(struct fd_book *b);   // NULL is fine
void fd_book_execed(struct fd_book *b); // openers are another program's now; NULL is fine
// The group of a stack (NULL: of a kind, whose name is static); made when it is not there yet.
struct fd_group *fd_group_of(struct fd_book *b, const char *kind, struct stack *stack,
                             const char *note, int64_t began_ns);
// What stands for a stack: its line of the program's own, or its id. Returns buf.
const char *fd_site_name(const struct stack *s, char *buf, size_t size);
// Takes in one look; rows by rising number.
void fd_book_look(struct fd_book *b, const struct fd_row *rows, int n, int64_t now_ns);
struct fd_entry *fd_entry_of(struct fd_life *life);
// The task that opened it has ended, and nobody has used it since.
bool fd_entry_is_orphan(const struct fd_entry *e);
const char *fd_entry_target(int pid, struct fd_entry *e); // "" unknown

#endif
