#include "cmd.h"
#include "collect.h"

int cmd_fds(const struct opts *opts)
{
    return show_parts(opts, PART_FDS, 2000000000LL);
}
