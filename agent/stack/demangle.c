#include "demangle.h"

#include <libiberty/demangle.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../snapshot/arena.h"

// Some inputs take the demangler exponential time or deep recursion: DMGL_NO_RECURSE_LIMIT stays off, and
// nothing longer than compilers make in practice goes in.
#define MAX_MANGLED 4096

static bool looks_mangled(const char *name)
{
    return !strncmp(name, "_Z", 2) || !strncmp(name, "__Z", 3) || !strncmp(name, "_R", 2);
}

const char *demangle(struct arena *a, const char *name)
{
    if (!looks_mangled(name) || strnlen(name, MAX_MANGLED) == MAX_MANGLED)
        return name;
    // Without DMGL_PARAMS: a stack is read by names, and node's parameters fill a screen each.
    char *text = cplus_demangle(name, DMGL_AUTO | DMGL_ANSI);
    if (!text)
        return name;
    const char *kept = arena_strdup(a, text);
    free(text);
    return kept;
}
