// Pitfalls found in the source, before the program runs.
//
// A language is one file and one line in lint_languages: it is given paths and reports findings and
// the files it could not check. Sorting, inline comments, --ignore and --baseline happen here, for
// all languages alike. Checked source is data: it is parsed, never run or imported.
// Strings of findings are owned by the report. Main thread only.
#ifndef LOOPSCOPE_LINT_H
#define LOOPSCOPE_LINT_H

#include <stdbool.h>
#include <stdio.h>

#include "../error.h"
#include "../snapshot/snapshot.h"

struct lint_step { // one call of the chain from an asynchronous function
    char *function;
    int line; // of the first: its definition; else the call in the one before
};

struct lint_finding {
    const char *rule; // lint_rules' own string
    enum severity severity;
    char *file;
    int line, column;               // from 1
    int end_line;                   // of the call or loop; 0 unknown
    char *function;                 // qualified; "<module>"
    char *message, *remedy, *about; // about: what stays the same when lines move
    struct lint_step *chain;        // NULL: direct
    int nchain;
    double blocked_ms; // --from: how long this line blocked in that recording; NAN not seen
};

struct lint_skipped {
    char *file, *why;
};

struct lint_report {
    struct lint_finding *findings;
    int n, room;
    struct lint_skipped *skipped;
    int nskipped, skipped_room;
    long files, lines;  // checked
    int allowed;        // by inline comments
    int ignored, known; // by --ignore, by --baseline
};

struct lint_rule {
    const char *id;
    enum severity severity;
    const char *meaning;
};
extern const struct lint_rule lint_rules[]; // id NULL ends it
const struct lint_rule *lint_rule_find(const char *id);

struct lint_call { // RULE.call=NAME
    char rule[40];
    const char *name;
};

struct lint_paths {
    char **list;
    int n;
};

struct lint_settings {
    struct lint_call *calls;
    int ncalls;
};

struct lint_language {
    const char *name;
    const char *suffixes; // separated by spaces: ".py .pyi"
    // 0, or -errno with *err filled when nothing at all could be checked (no interpreter).
    int (*check)(struct lint_report *r, const struct lint_paths *paths,
                 const struct lint_settings *settings, struct error *err);
};
extern const struct lint_language lint_languages[]; // name NULL ends it

// Takes what it is given: f's strings and chain are the report's from now on.
void lint_add(struct lint_report *r, const struct lint_finding *f);
void lint_skip(struct lint_report *r, const char *file, const char *why);
void lint_report_finish(struct lint_report *r);
void lint_sort(struct lint_report *r);

// Files of languages below paths, by language (ret has one element a language). What cannot be
// walked is reported. -ENOENT, *err names it: a path that does not exist.
int lint_walk(const char *const *paths, int n, struct lint_paths *ret, struct lint_report *r,
              struct error *err);

// Removes what `loopscope: ignore` comments allow, what RULE[:GLOB] names, what the baseline (an
// earlier --json) holds.
void lint_drop_allowed(struct lint_report *r);
void lint_drop_ignored(struct lint_report *r, const char *const *ignore, int n);
int lint_drop_known(struct lint_report *r, const char *path, struct error *err);

// Marks findings with how long their line blocked in s, and sorts those first.
void lint_rank(struct lint_report *r, const struct snap *s);

struct lint_style {
    bool color, ascii;
    int width;   // 0: unknown
    int fail_on; // enum severity: JUnit fails at or above
};
struct lint_format {
    const char *name, *summary;
    void (*write)(const struct lint_report *r, const struct lint_style *style, FILE *out);
};
extern const struct lint_format lint_formats[]; // the first is the default; name NULL ends it
const struct lint_format *lint_format_find(const char *name);
void lint_write_text(const struct lint_report *r, const struct lint_style *style, FILE *out);
void lint_write_json(const struct lint_report *r, const struct lint_style *style, FILE *out);
void lint_write_sarif(const struct lint_report *r, const struct lint_style *style, FILE *out);
void lint_write_junit(const struct lint_report *r, const struct lint_style *style, FILE *out);

int lint_check_python(struct lint_report *r, const struct lint_paths *paths,
                      const struct lint_settings *settings, struct error *err);
int lint_check_javascript(struct lint_report *r, const struct lint_paths *paths,
                          const struct lint_settings *settings, struct error *err);
int lint_check_c(struct lint_report *r, const struct lint_paths *paths,
                 const struct lint_settings *settings, struct error *err);

#endif
