#include "cmd.h"
#include "collect.h"

int cmd_tasks(const struct opts *opts)
{
    return show_parts(opts, PART_TASKS, 2000000000LL);
}
