// The table of commands names functions of the program; these tests only parse.
#ifndef LOOPSCOPE_TESTS_COMMANDS_H
#define LOOPSCOPE_TESTS_COMMANDS_H

#include "../../../agent/cmd.h"

#define NO_RUN(name)                                                                               \
    int name(const struct opts *opts)                                                              \
    {                                                                                              \
        (void)opts;                                                                                \
        return STATUS_INTERNAL;                                                                    \
    }
NO_RUN(cmd_top)
NO_RUN(cmd_ps)
NO_RUN(cmd_watch)
NO_RUN(cmd_check)
NO_RUN(cmd_loops)
NO_RUN(cmd_tasks)
NO_RUN(cmd_fds)
NO_RUN(cmd_stacks)
NO_RUN(cmd_record)
NO_RUN(cmd_report)
NO_RUN(cmd_diff)
NO_RUN(cmd_serve)
NO_RUN(cmd_doctor)
NO_RUN(cmd_rules)
NO_RUN(cmd_lint)

#endif
