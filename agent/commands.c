// The table of commands, from commands.def.
#include "cmd.h"

#include <string.h>

#define COMMAND(name, args, summary, examples, takes)                                              \
    {#name, args, summary, examples, takes, cmd_##name},
const struct command commands[] = {
#include "commands.def"
    {0},
};
#undef COMMAND

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}
