// Sentences about the things of a snapshot: shared by details, pages, copies and plain text.
#ifndef LOOPSCOPE_TUI_DESCRIBE_H
#define LOOPSCOPE_TUI_DESCRIBE_H

#include "../agent/snapshot/snapshot.h"
#include "flame.h"
#include "lines.h"

// "in read() on pipe:[3]", "on the CPU (user)": never empty.
const char *describe_cause(const struct cause *c, char *buf, size_t size);
// "json_encode < invoice_render < on_tick  (src/invoice.c:88)": innermost user frames; "" for NULL.
const char *describe_stack(const struct stack *s, char *buf, size_t size);
// The function that is to blame; "-" when unknown.
const char *describe_culprit(const struct stack *s, char *buf, size_t size);
const char *describe_culprit_place(const struct stack *s, char *buf, size_t size);
// What is wrong, evidence, remedy, how to verify; `whole` adds stacks and occurrences.
void describe_finding(const struct snap *s, const struct finding *f, int width, bool whole,
                      struct lines *out);
// The title, led by the function that is to blame where one is: it must not be what a narrow column cuts.
const char *describe_headline(const struct finding *f, char *buf, size_t size);
// The page of a rule: what it means, how it judges, what to do. NULL and unknown rules are said to be so.
void describe_rule(const char *id, int width, struct lines *out);
// blame: marks the culprit, which a stall has and a chain of waits has not.
void describe_frames(const struct stack *s, bool blame, struct lines *out);
// Samples of a finding: one a captured occurrence, weighted by its duration. Returns how many.
int describe_samples(const struct snap *s, const struct finding *f, int cpu_mode,
                     struct flame_sample *out, int max);

#endif
