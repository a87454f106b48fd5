// The table of commands names functions of the program; these tests only parse.
#ifndef LOOPSCOPE_TESTS_COMMANDS_H
#define LOOPSCOPE_TESTS_COMMANDS_H

#include "../../../agent/cmd.h"

#define COMMAND(name, ...)                                                                         \
    int cmd_##name(const struct opts *opts)                                                        \
    {                                                                                              \
        (void)opts;                                                                                \
        return STATUS_INTERNAL;                                                                    \
    }
#include "../../../agent/commands.def"
#undef COMMAND

#endif
