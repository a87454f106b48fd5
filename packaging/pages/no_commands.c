// The table of commands names the functions that run them; here nothing is run.
#include <stdlib.h>

#include "../../agent/cmd.h"

#define COMMAND(name, ...)                                                                         \
    int cmd_##name(const struct opts *opts)                                                        \
    {                                                                                              \
        (void)opts;                                                                                \
        abort();                                                                                   \
    }
#include "../../agent/commands.def"
