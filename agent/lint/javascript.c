// JavaScript, by acorn: node brings a copy of it inside, or its package stands where Debian puts it.
//
// The program comes on standard input and requires nothing but node's own modules, so that no
// node_modules beside the checked code is looked at; NODE_* variables do not reach it.
#include "../export/embed.h"
#include "helper.h"

EMBED(lint_javascript_tables, LINT_JAVASCRIPT "/tables.js");
EMBED(lint_javascript_model, LINT_JAVASCRIPT "/model.js");
EMBED(lint_javascript_blocking, LINT_JAVASCRIPT "/blocking.js");
EMBED(lint_javascript_tasks, LINT_JAVASCRIPT "/tasks.js");
EMBED(lint_javascript_main, LINT_JAVASCRIPT "/main.js");

static const struct helper_program javascript = {
    .language = "JavaScript",
    .argv = {"node", "--expose-internals", "--no-warnings", "--max-old-space-size=2048", "-", NULL},
    .parts = {{lint_javascript_tables, lint_javascript_tables_end},
              {lint_javascript_model, lint_javascript_model_end},
              {lint_javascript_blocking, lint_javascript_blocking_end},
              {lint_javascript_tasks, lint_javascript_tasks_end},
              {lint_javascript_main, lint_javascript_main_end}},
    .no_interpreter = "there is no node here",
    .hint = "Debian: the package nodejs, which brings the parser (acorn)",
    .no_parser = "this node has no acorn",
    .parser_hint = "Debian: the package node-acorn",
};

int lint_check_javascript(struct lint_report *r, const struct lint_paths *paths,
                          const struct lint_settings *settings, struct error *err)
{
    return helper_check(&javascript, r, paths, settings, err);
}
