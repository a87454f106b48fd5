// One writer per format: a snapshot in, bytes out. Adding one is one file and one line in export.c.
#ifndef LOOPSCOPE_EXPORT_H
#define LOOPSCOPE_EXPORT_H

#include <stdio.h>

#include "../snapshot/snapshot.h"

struct history; // history.h: what happened over the whole window, not only now

enum export_part { // what a one-shot table shows; cli.md: parts not asked for are []
    PART_PROCESSES = 1 << 0,
    PART_LOOPS = 1 << 1,
    PART_FINDINGS = 1 << 2,
    PART_TASKS = 1 << 3,
    PART_FDS = 1 << 4,
    PART_STACKS = 1 << 5,
    PART_ALL = (1 << 6) - 1,
};

struct export_opts {
    unsigned parts;
    bool color, ascii;
    int width;                     // columns of text formats; 0: 100
    bool tree, by_site, orphans;   // tasks as text
    int task_state;                // enum task_state, -1 all
    const struct history *history; // NULL: only what the snapshot itself holds
    int fail_on;                   // junit: enum severity from which a finding fails, or 3: never
    const char *const *rules;      // junit: ids of all rules, NULL ends them; NULL: unknown
};

struct export_format {
    const char *name, *media_type, *summary;
    bool binary;
    int (*write)(const struct snap *s, const struct export_opts *o, FILE *out); // -errno
};
extern const struct export_format export_formats[]; // name NULL ends it
const struct export_format *export_find(const char *name);

int export_json(const struct snap *s, const struct export_opts *o, FILE *out);
int export_text(const struct snap *s, const struct export_opts *o, FILE *out);

// One NDJSON line for an event of s, ended with a newline (not flushed).
void export_event_json(const struct snap *s, const struct snap_event *e, FILE *out);
// A finding in full as text, and an event in one line.
void export_finding_text(const struct snap *s, const struct finding *f, const struct export_opts *o,
                         FILE *out);
void export_event_text(const struct snap *s, const struct snap_event *e,
                       const struct export_opts *o, FILE *out);
void export_schema(FILE *out); // the JSON schema of export_json's document

const struct finding *find_finding(const struct snap *s, const char *id); // NULL: none

#endif
