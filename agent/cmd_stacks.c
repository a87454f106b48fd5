#include "cmd.h"
#include "collect.h"

int cmd_stacks(const struct opts *opts)
{
    return show_parts(opts, PART_STACKS, 2000000000LL);
}
