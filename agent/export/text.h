// What the writers of text share.
#ifndef LOOPSCOPE_EXPORT_TEXT_H
#define LOOPSCOPE_EXPORT_TEXT_H

#include "clean.h"
#include "export.h"
#include "human.h"

enum ink { INK_NONE, INK_BOLD, INK_DIM, INK_CRITICAL, INK_WARNING, INK_INFO, INK_GOOD };

struct text { // where and how
    FILE *out;
    const struct export_opts *o;
    int width;       // of sentences
    int table_width; // of tables: not cut where nobody looks at a terminal
};
struct text text_begin(FILE *out, const struct export_opts *o);
void ink(const struct text *t, enum ink ink); // INK_NONE ends
enum ink severity_ink(enum severity s);
const char *severity_mark(enum severity s); // "!!", "! ", ". "
// A sentence broken into lines at width; the first begins with `first`, the others with spaces.
void text_wrap(const struct text *t, const char *first, const char *sentence);
void text_stack(const struct text *t, const struct stack *st, const char *margin);

void text_findings(const struct text *t, const struct snap *s);
void text_header(const struct text *t, const struct snap *s);
void text_processes(const struct text *t, const struct snap *s);
void text_loops(const struct text *t, const struct snap *s);
void text_tasks(const struct text *t, const struct snap *s);
void text_fds(const struct text *t, const struct snap *s);
void text_stacks(const struct text *t, const struct snap *s);

#endif
