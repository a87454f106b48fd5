// The page of a rule, from the table that also judges: it cannot tell of numbers that are not in force.
#include <stdio.h>
#include <string.h>

#include "../agent/rules/rule.h"
#include "describe.h"
#include "format.h"
#include "view.h"

#define HEADING 11

static void wrap(struct lines *out, const char *heading, int width, const char *text)
{
    lines_wrap(out, STYLE_TEXT, heading, HEADING, width, text);
}

static void key_text(const struct rule *r, const struct rule_key *k, char *buf, size_t size)
{
    char value[48];
    snprintf(buf, size, "-o %s.%s=%s%s%s%s%s%s", r->id, k->key,
             rule_value_text(k, k->value, value, sizeof(value)),
             strcmp(k->unit, "per_s") == 0 ? "  a second" : "", k->from ? "  (" : "",
             k->from ? k->from : "", k->from ? ")" : "",
             k->scaled ? "; multiplied by --time-scale" : "");
}

void describe_rule(const char *id, int width, struct lines *out)
{
    char text[512];
    const struct rule *r = id ? rule_find(id) : NULL;
    if (!r) {
        lines_add(out, STYLE_DIM, "This loopscope knows no rule %s.", id ? id : "-");
        return;
    }
    lines_add(out, style_of(r->severity), "%s  %s  (usually %s)", mark_of(r->severity), r->id,
              severity_name(r->severity));
    lines_add(out, STYLE_TEXT, "%s", "");
    wrap(out, "MEANS", width, r->meaning);
    wrap(out, "SHOWS", width, r->evidence);
    for (int i = 0; r->remedy && r->remedy[i]; i++) {
        snprintf(text, sizeof(text), "%d. %s", i + 1, r->remedy[i]);
        wrap(out, i == 0 ? "REMEDY" : "", width, text);
    }
    lines_add(out, STYLE_TEXT, "%s", "");
    for (int i = 0; i < r->nkeys; i++) {
        key_text(r, &r->keys[i], text, sizeof(text));
        wrap(out, i == 0 ? "NUMBERS" : "", width, text);
    }
    snprintf(text, sizeof(text), "loopscope rules %s; docs/rules/%s.md", r->id, r->id);
    wrap(out, "MORE", width, text);
}
