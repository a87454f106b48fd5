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

// "work.constprop.0" is the compiler's copy of work, "work@V1" its version.
static const char *without_suffix(struct arena *a, const char *name)
{
    static const char *const suffixes[] = {"@",     ".constprop.", ".isra.", ".part.",
                                           ".cold", ".lto_priv.",  ".llvm.", ".localalias"};
    const char *end = NULL;
    if (!strpbrk(name, ".@"))
        return name;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        const char *at = strstr(name, suffixes[i]);
        if (at && at != name && (!end || at < end))
            end = at;
    }
    if (!end)
        return name;
    size_t n = (size_t)(end - name);
    char *kept = arena_alloc(a, n + 1);
    memcpy(kept, name, n);
    return kept;
}

const char *demangle(struct arena *a, const char *name)
{
    name = without_suffix(a, name);
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
