// The live dashboard; where there is no terminal, a frame of text.
#include <unistd.h>

#include "../tui/tui.h"
#include "cmd.h"
#include "collect.h"

int cmd_top(const struct opts *opts)
{
    if (opts->json)
        return show_parts(opts, PART_ALL, 2000000000LL);
    if (opts->once || opts->plain || !isatty(STDOUT_FILENO))
        return tui_once(opts);
    return tui_run(opts);
}
