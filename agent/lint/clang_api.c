#include "clang_api.h"

#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static void *open_newest(const char *pattern)
{
    glob_t found;
    void *library = NULL;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = found.gl_pathc; i-- > 0 && !library;)
            library = dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
        globfree(&found);
    }
    return library;
}

static void *open_library(void)
{
    void *library = dlopen("libclang.so.1", RTLD_NOW | RTLD_LOCAL);
    library = library ? library : open_newest("/usr/lib/llvm-*/lib/libclang.so.1");
    return library ? library : open_newest("/usr/lib/*/libclang-*.so.*");
}

int clang_api_open(struct clang_api *api, struct error *err)
{
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define CLANG_ENTRY(name) {"clang_" #name, offsetof(struct clang_api, name)},
        CLANG_FUNCTIONS(CLANG_ENTRY)
#undef CLANG_ENTRY
    };
    *api = (struct clang_api){.library = open_library()};
    for (size_t i = 0; api->library && i < sizeof(functions) / sizeof(*functions); i++) {
        void *f = dlsym(api->library, functions[i].name);
        if (!f) {
            clang_api_close(api);
            break;
        }
        memcpy((char *)api + functions[i].offset, &f, sizeof(f));
    }
    if (api->library)
        return 0;
    error_set(err, STATUS_INTERNAL, ENOENT, "C files were not checked: no libclang is installed");
    error_hint(err, "Debian's is in the package libclang1-14");
    return -ENOENT;
}

void clang_api_close(struct clang_api *api)
{
    if (api->library)
        dlclose(api->library);
    api->library = NULL;
}
