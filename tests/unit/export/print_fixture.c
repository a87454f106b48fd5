// Prints a synthetic snapshot in a format: print_fixture rich|quiet|empty|hostile FORMAT
#include <stdio.h>
#include <string.h>

#include "../../../agent/export/export.h"
#include "../../../agent/export/history.h"
#include "../fixture.h"

static struct snap *snapshot(const char *which, int tick)
{
    if (!strcmp(which, "rich"))
        return fixture_rich(tick);
    if (!strcmp(which, "quiet"))
        return fixture_quiet();
    if (!strcmp(which, "hostile"))
        return fixture_hostile();
    return fixture_empty();
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    if (!strcmp(argv[2], "schema")) {
        export_schema(stdout);
        return 0;
    }
    struct history *history = history_new();
    struct snap *last = NULL;
    for (int tick = 0; tick < 3; tick++) {
        snap_unref(last);
        last = snapshot(argv[1], tick);
        history_add(history, last);
    }
    static const char *const rules[] = {"loop-blocked", "loop-cpu", "fd-leak", NULL};
    struct export_opts o = {.parts = PART_ALL,
                            .task_state = -1,
                            .history = history,
                            .rules = rules,
                            .fail_on = SEV_WARNING};
    const struct export_format *format = export_find(argv[2]);
    int rc = format ? format->write(last, &o, stdout) : -1;
    snap_unref(last);
    history_free(history);
    return rc < 0;
}
