// A rule is one file: check, evidence, remedy, "too early to tell"; and one line in the table of rules.c.
// Rules read the facts of a snapshot (live or recorded) and report findings; they know nothing else.
#ifndef LOOPSCOPE_RULE_H
#define LOOPSCOPE_RULE_H

#include "../error.h"
#include "../snapshot/snapshot.h"

struct rules; // the engine: settings, open findings, history

struct rule_key {           // one number of findings.md: -o rule.key=value
    const char *key, *unit; // unit: "ns", "ratio", "count", "per_s"
    double value;           // default, in that unit
    const char *from;       // where the default comes from
    bool scaled;            // multiplied by --time-scale
};

struct rule {
    const char *id, *meaning, *evidence;
    enum severity severity; // the usual one
    int nkeys;
    const struct rule_key *keys;
    const char *const *remedy; // NULL terminated
    // Judges what lasts: rates, sums, counts. NULL: only stalls.
    void (*check)(struct rules *r, const struct rule *rule, const struct snap *now);
    // Rules that name a stall: does this one explain it? The table has the most specific first.
    bool (*holds)(const struct rules *r, const struct snap_stall *stall);
};

extern const struct rule *const all_rules[]; // NULL ends it
const struct rule *rule_find(const char *id);

// settings as "rule.key=value"; duplicates: the last wins. -EINVAL, *err names the one.
int rules_new(struct rules **ret, const char *const *settings, int nsettings, double time_scale,
              struct error *err);
void rules_free(struct rules *r); // NULL is fine
// A key's value as -o takes it: "100ms", "5%", "3".
const char *rule_value_text(const struct rule_key *key, double value, char *buf, size_t size);
// The stall threshold that -o loop-blocked.warn asks for; *ns stays where it was not given.
int rules_threshold(const struct rules *r, int64_t *ns, struct error *err);
// Judges the facts of s and fills s->findings, s->events (OPEN, UPDATE, CLOSE), s->not_judged.
void rules_judge(struct rules *r, struct snap *s);

#endif
