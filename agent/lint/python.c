// Python, by its own ast module.
//
// -I keeps the working directory and PYTHON* variables out, -S all of site: what lies beside the
// checked code is never imported.
#include "../export/embed.h"
#include "helper.h"

EMBED(lint_python_tables, LINT_PYTHON "/tables.py");
EMBED(lint_python_model, LINT_PYTHON "/model.py");
EMBED(lint_python_blocking, LINT_PYTHON "/blocking.py");
EMBED(lint_python_tasks, LINT_PYTHON "/tasks.py");
EMBED(lint_python_main, LINT_PYTHON "/main.py");

static const struct helper_program python = {
    .language = "Python",
    .argv = {"python3", "-I", "-S", "-B", "-X", "utf8", "-", NULL},
    .parts = {{lint_python_tables, lint_python_tables_end},
              {lint_python_model, lint_python_model_end},
              {lint_python_blocking, lint_python_blocking_end},
              {lint_python_tasks, lint_python_tasks_end},
              {lint_python_main, lint_python_main_end}},
    .memory_max = 4L << 30,
    .no_interpreter = "there is no python3 here",
    .hint = "python3 3.9 or later parses them",
};

int lint_check_python(struct lint_report *r, const struct lint_paths *paths,
                      const struct lint_settings *settings, struct error *err)
{
    return helper_check(&python, r, paths, settings, err);
}
