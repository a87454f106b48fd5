#include "cmd.h"
#include "collect.h"

int cmd_loops(const struct opts *opts)
{
    return show_parts(opts, PART_LOOPS, 2000000000LL);
}
