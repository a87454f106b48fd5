// Which items hold a text, whatever the case of its letters. "!x" turns a filter round.
#ifndef LOOPSCOPE_TUI_MATCH_H
#define LOOPSCOPE_TUI_MATCH_H

#include "view.h"

#define MATCH_COLUMNS 4

struct matcher {
    const char *needle; // "": everything matches
    size_t len;
    bool inverse;
    size_t rare;       // place in needle of the byte to look for first
    char lower, upper; // ... in both cases; the same unless a letter
    struct {           // the text asked about last, by text column: many items share one
        const char *text;
        bool holds;
    } last[MATCH_COLUMNS];
};

struct matcher matcher_make(const char *filter);       // "!x" inverts; filter must live on
struct matcher matcher_make_plain(const char *needle); // "!" is a character like others
bool match_text(const struct matcher *m, const char *text);
// Any of its text columns. All of a matcher's life is within one picture.
bool match_item(struct matcher *m, const struct ui *ui, const struct table *table, int index);

#endif
