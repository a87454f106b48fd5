// The table of commands names the functions that run them; here nothing is run.
#include <stdlib.h>

#include "../../agent/cmd.h"

#define NOT_RUN(name)                                                                              \
    int name(const struct opts *opts)                                                              \
    {                                                                                              \
        (void)opts;                                                                                \
        abort();                                                                                   \
    }
NOT_RUN(cmd_top)
NOT_RUN(cmd_ps)
NOT_RUN(cmd_watch)
NOT_RUN(cmd_check)
NOT_RUN(cmd_loops)
NOT_RUN(cmd_tasks)
NOT_RUN(cmd_fds)
NOT_RUN(cmd_stacks)
NOT_RUN(cmd_record)
NOT_RUN(cmd_report)
NOT_RUN(cmd_diff)
NOT_RUN(cmd_serve)
NOT_RUN(cmd_doctor)
NOT_RUN(cmd_rules)
NOT_RUN(cmd_lint)
