// The live dashboard; where there is no terminal, a frame of text.
#include <unistd.h>

#include "../tui/tui.h"
#include "cmd.h"
#include "collect.h"

// No TARGET: the dashboard offers what there is; a document is of everything.
int cmd_top(const struct opts *opts)
{
    struct opts all = *opts;
    if (all.target == TARGET_NONE)
        all.target = TARGET_ALL;
    if (opts->json)
        return show_parts(&all, PART_ALL, 2000000000LL);
    if (opts->once || opts->plain || !isatty(STDOUT_FILENO))
        return tui_once(opts);
    return tui_run(opts);
}
