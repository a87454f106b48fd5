// Snapshots by hand: what target would have filled, so that rules can be judged without a process.
#ifndef TESTS_RULES_FACTS_H
#define TESTS_RULES_FACTS_H

// cmocka wants these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/rules/engine.h"

#define FACTS_PID 4711

struct snap *facts_new(double now_s); // one healthy loop, judged since the start
struct snap_loop *facts_loop(struct snap *s);
// A stall of the loop that began `age_ms` ago; its cause and split say `kind` took all of it.
struct snap_stall *facts_stall(struct snap *s, uint64_t id, double age_ms, enum cause_kind kind,
                               const char *syscall);
void facts_end(struct snap_stall *stall, const struct snap *s); // it ends now
// The look that names function as the culprit.
void facts_look(struct snap *s, struct snap_stall *stall, const char *function);
struct snap_calls *facts_calls(struct snap *s, enum cause_kind kind, const char *syscall,
                               const char *function, int calls, double total_ms);
const struct finding *facts_finding(const struct snap *s, const char *rule); // NULL: none
int facts_events(const struct snap *s, enum snap_event_kind kind);
bool facts_not_judged(const struct snap *s, const char *rule);
struct rules *facts_rules(const char *setting); // NULL: the defaults
// The evidence's sentence; NULL when there is none of that key.
const char *facts_evidence(const struct finding *f, const char *key);

#endif
