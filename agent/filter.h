// Which findings count: --ignore, --baseline, and what makes two findings of different runs the same.
#ifndef LOOPSCOPE_FILTER_H
#define LOOPSCOPE_FILTER_H

#include "opts.h"
#include "snapshot/snapshot.h"

// RULE[:GLOB]: the rule (or a glob of rules), and a glob over subject, title, culprit and path.
bool finding_ignored(const struct opts *opts, const struct finding *f);

// What stays the same of a finding from run to run: its rule and its culprit (else what it waited
// for, the task's spawn site, or its subject without numbers). buf is returned.
const char *finding_key(const struct finding *f, char *buf, size_t size);
const struct finding *find_same(const struct snap *s, const struct finding *f);

// A view of s with fewer findings. It borrows everything from s, which must outlive it.
struct filtered {
    struct snap snap;
    int left_out;
};
typedef bool (*finding_test)(const void *arg, const struct finding *f); // true: leave out
void filter_findings(struct filtered *ret, const struct snap *s, finding_test test,
                     const void *arg);
void filter_ignored(struct filtered *ret, const struct snap *s, const struct opts *opts);
void filtered_finish(struct filtered *f);

#endif
