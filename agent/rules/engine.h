// What the files of this room share: settings, the store of findings, drafts of reports, words.
//
// A rule that finds something makes a draft (draft_new), says what it knows in it, and hands it over
// (draft_report). The store finds the finding of the same (rule, subject, culprit) or opens one, and closes
// those that have been quiet. Stalls come through stall_findings.c, which picks the rule.
#ifndef LOOPSCOPE_ENGINE_H
#define LOOPSCOPE_ENGINE_H

#include <uthash.h>

#include "rule.h"

#define MS           1000000LL
#define SECOND       (1000 * MS)
#define WARM_UP_NS   (2 * SECOND)  // rules on rates, percentiles and counts
#define QUIET_NS     (10 * SECOND) // a finding that has not held for so long closes
#define OCCURRENCES  100
#define HISTORY_MAX  200 // closed findings kept
#define EVIDENCE_MAX 16
#define CULPRIT_TEXT 256

struct known { // a finding and its history
    UT_hash_handle hh;
    struct known *prev, *next; // oldest first
    const struct rule *rule;
    char *key;
    struct snap *box; // owns what f points to
    struct finding f;
    int64_t held_ns; // last time its condition held
    uint64_t stall;  // the newest stall in it; 0: of a rule on what lasts
    double base;     // a rule's own figure at its opening
};

struct seen_stall { // one that is still open
    UT_hash_handle hh;
    uint64_t id;
    struct known *finding, *hung;
};

struct held;
struct recent;

struct setting {
    const struct rule *rule;
    const struct rule_key *key;
    double value;
};

struct rules {
    struct setting *settings;
    int nsettings;
    double time_scale;
    struct known *by_key, *list;
    struct seen_stall *stalls;
    struct held *held;
    struct recent *recent;
    uint64_t next_id;
    struct snap *now;    // being judged
    int64_t lost_before; // self-degraded: records lost that were told
};

// settings.c
double rules_value(const struct rules *r, const struct rule *rule, const char *key); // scaled
int64_t rules_ns(const struct rules *r, const struct rule *rule, const char *key);
bool rules_is_set(const struct rules *r, const struct rule *rule, const char *key);

// draft.c
struct draft {
    const struct rule *rule;
    enum runtime_kind runtime; // of the process
    char *key;
    struct snap *box;
    struct finding f;
};
struct draft *draft_new(struct rules *r, const struct rule *rule, int pid, int tid,
                        const char *culprit);
void draft_evidence(struct draft *d, const char *key, const char *unit, double value,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void draft_title(struct draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void draft_remedy(struct draft *d, const struct rule *rule); // that rule's instead of its own
void draft_remedy_of_call(struct draft *d, const struct cause *cause); // what suits the call better
// remedies.c: one of a rule's sentences, in the words of the runtime where there are such.
bool waits_for_interpreter(const struct cause *cause); // another thread runs Python meanwhile
const char *remedy_of(const struct rule *rule, int which, enum runtime_kind runtime);
const char *remedy_of_call(const struct cause *cause,
                           enum runtime_kind runtime); // NULL: the rule's
void draft_cause(struct draft *d, const struct cause *cause, struct stack *stack);
// The task that the finding is about, or with id NULL the tasks of its spawn site.
void draft_opener(struct draft *d, const struct task_ref *task);
void draft_free(struct draft *d);
char *rules_key(const struct rule *rule, int pid, int tid, const char *culprit);

// store.c
struct known *rules_find(struct rules *r, const struct rule *rule, int pid, int tid,
                         const char *culprit);
// Takes the draft. A new finding opens, a closed one opens again, an open one is renewed.
struct known *draft_report(struct rules *r, struct draft *d);
// Replaces what k says by the draft's words, keeping its history. Takes the draft.
void known_renew(struct rules *r, struct known *k, struct draft *d);
void known_event(struct rules *r, struct known *k, enum snap_event_kind kind);
void store_close_quiet(struct rules *r);
void store_output(struct rules *r);
void store_free(struct rules *r);
void rules_not_judged(struct rules *r, const struct rule *rule, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// held.c: for how long something has been so, as far as the looks at it tell.
int64_t rules_held_ns(struct rules *r, const struct rule *rule, int pid, const char *what);
void held_forget(struct rules *r, bool all); // those not seen lately

// recent.c: how much a counter has grown within the rule's window, as far as it was watched.
int64_t rules_recent(struct rules *r, const struct rule *rule, int pid, const char *what,
                     const char *counter, int64_t value);
void recent_forget(struct rules *r, bool all);

// stall_findings.c
void stalls_judge(struct rules *r);
void stalls_forget(struct rules *r);

// text.c: words for people. Into buf or the box; returns it.
const char *text_ns(int64_t ns, char *buf, size_t size);                 // "412 ms", "1.3 s"
const char *text_culprit(const struct stack *s, char *buf, size_t size); // "" when unknown
const char *text_culprit_key(const struct stack *s, char *buf, size_t size);
const char *text_on_what(const struct cause *c, char *buf, size_t size); // "read from /tmp/fifo"
const char *text_doing(const struct cause *c, const struct stack *s, char *buf, size_t size);
const char *text_verify(struct snap *box, const struct snap *now, int pid);
const char *text_process(const struct snap *now, int pid); // its name, "?" when unknown
const char *text_subject(struct snap *box, const struct snap *now, int pid, int tid);

extern const struct rule rule_loop_blocked, rule_loop_hung, rule_loop_cpu, rule_loop_sync_io,
    rule_loop_sync_log, rule_loop_lock, rule_loop_starved, rule_loop_saturated, rule_loop_spin,
    rule_pool_exhausted, rule_task_unbounded, rule_task_orphan, rule_task_timeout_runs_on,
    rule_task_cancel_ignored, rule_task_never_awaited, rule_task_error_unread, rule_task_fail_rate,
    rule_task_deadlock, rule_task_lost_wake, rule_thread_unsafe, rule_task_cancel_leak,
    rule_task_stuck, rule_task_self_wake, rule_fd_leak, rule_fd_orphan, rule_handle_leak,
    rule_fd_close_wait, rule_fd_limit, rule_child_zombie, rule_self_degraded;

#endif
