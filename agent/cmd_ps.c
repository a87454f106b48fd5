#include "cmd.h"
#include "collect.h"

// Nothing found is an answer too.
int cmd_ps(const struct opts *opts)
{
    int rc = show_parts(opts, PART_PROCESSES, 2000000000LL);
    return rc == STATUS_TOO_EARLY ? STATUS_CLEAN : rc;
}
