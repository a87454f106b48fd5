#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "collect.h"
#include "export/doc.h"
#include "export/human.h"
#include "export/table.h"
#include "export/text.h"
#include "rules/lint_link.h"
#include "rules/rule.h"

// What looks for it before it runs, by language.
static void json_lint(struct json *j, const struct rule *r)
{
    json_put_array(j, "lint");
    for (int i = 0; i < LINT_LANGUAGES; i++) {
        const char *lint = lint_rule_for(r->id, (enum lint_language_id)i);
        if (!lint)
            continue;
        json_put_object(j, NULL);
        json_put_text(j, "language", lint_language_names[i]);
        json_put_text(j, "rule", lint);
        json_end_object(j);
    }
    json_end_array(j);
}

static void print_lint(const struct rule *r, const struct text *t)
{
    char line[300] = "";
    for (int i = 0; i < LINT_LANGUAGES; i++) {
        const char *lint = lint_rule_for(r->id, (enum lint_language_id)i);
        size_t n = strlen(line);
        if (lint)
            snprintf(line + n, sizeof(line) - n, "%s%s in %s", n ? ", " : "loopscope lint: ", lint,
                     lint_language_names[i]);
    }
    if (line[0])
        text_wrap(t, "  before it runs: ", line);
}

static void json_rule(struct json *j, const struct rule *r)
{
    json_put_object(j, NULL);
    json_put_text(j, "id", r->id);
    json_put_text(j, "severity", severity_name(r->severity));
    json_put_text(j, "meaning", r->meaning);
    json_put_text(j, "evidence", r->evidence);
    json_put_array(j, "keys");
    for (int i = 0; i < r->nkeys; i++) {
        json_put_object(j, NULL);
        json_put_text(j, "key", r->keys[i].key);
        json_put_real(j, "default", r->keys[i].value);
        json_put_text(j, "unit", r->keys[i].unit);
        json_put_text(j, "from", r->keys[i].from);
        json_put_bool(j, "scaled_by_time_scale", r->keys[i].scaled);
        json_end_object(j);
    }
    json_end_array(j);
    json_put_array(j, "remedy");
    for (int i = 0; r->remedy && r->remedy[i]; i++)
        json_put_text(j, NULL, r->remedy[i]);
    json_end_array(j);
    json_lint(j, r);
    json_end_object(j);
}

static void print_json(const struct rule *only)
{
    struct json j = json_begin(stdout);
    j.pretty = true;
    j.pretty_depth = 2;
    json_put_object(&j, NULL);
    json_put_text(&j, "schema", "loopscope-rules/1");
    json_put_array(&j, "rules");
    for (int i = 0; all_rules[i]; i++)
        if (!only || all_rules[i] == only)
            json_rule(&j, all_rules[i]);
    json_end_array(&j);
    json_end_object(&j);
    putchar('\n');
}

static void print_one(const struct rule *r, const struct text *t)
{
    char buf[64], first[64];
    ink(t, INK_BOLD);
    printf("%s", r->id);
    ink(t, INK_NONE);
    printf("  (%s)\n", severity_name(r->severity));
    text_wrap(t, "  ", r->meaning);
    text_wrap(t, "  shows:    ", r->evidence);
    for (int i = 0; i < r->nkeys; i++) {
        const struct rule_key *k = &r->keys[i];
        char line[400];
        snprintf(first, sizeof(first), "  -o %s.%s=", r->id, k->key);
        snprintf(line, sizeof(line), "%s%s%s%s%s%s", rule_value_text(k, k->value, buf, sizeof(buf)),
                 !strcmp(k->unit, "per_s") ? " a second" : "", k->from ? " (" : "",
                 k->from ? k->from : "", k->from ? ")" : "",
                 k->scaled ? "; multiplied by --time-scale" : "");
        text_wrap(t, first, line);
    }
    for (int i = 0; r->remedy && r->remedy[i]; i++)
        text_wrap(t, i ? "            " : "  do:       ", r->remedy[i]);
    print_lint(r, t);
}

static void print_table(const struct text *t)
{
    struct table *table = table_new("RULE|SEVERITY|KEYS|MEANING");
    for (int i = 0; all_rules[i]; i++) {
        const struct rule *r = all_rules[i];
        char keys[200] = "", buf[64];
        for (int k = 0; k < r->nkeys; k++) {
            size_t n = strlen(keys);
            snprintf(keys + n, sizeof(keys) - n, "%s%s=%s", k ? ", " : "", r->keys[k].key,
                     rule_value_text(&r->keys[k], r->keys[k].value, buf, sizeof(buf)));
        }
        table_cell(table, r->id);
        table_cell(table, severity_name(r->severity));
        table_cell(table, keys);
        table_cell(table, r->meaning);
    }
    table_print(table, stdout, t->table_width, t->o->color);
    puts("\nset one with -o RULE.KEY=VALUE; loopscope rules RULE tells more");
}

static int unknown_rule(const char *id)
{
    struct error e;
    const char *names[64];
    int n = 0;
    for (; n < 64 && all_rules[n]; n++)
        names[n] = all_rules[n]->id;
    error_set(&e, STATUS_USAGE, EINVAL, "there is no rule '%.80s'", id);
    const char *near = nearest(id, names, n);
    if (near)
        error_hint(&e, "did you mean %s?", near);
    else
        error_hint(&e, "loopscope rules lists them");
    cli_error(&e);
    return STATUS_USAGE;
}

int cmd_rules(const struct opts *opts)
{
    const struct rule *only = opts->second ? rule_find(opts->second) : NULL;
    if (opts->second && !only)
        return unknown_rule(opts->second);
    struct export_opts o = export_opts_of(opts, PART_ALL);
    struct text t = text_begin(stdout, &o);
    if (opts->json)
        print_json(only);
    else if (only)
        print_one(only, &t);
    else
        print_table(&t);
    return STATUS_CLEAN;
}
