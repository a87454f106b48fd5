#include "uv_file.h"

#include <string.h>

#include "code_files.h"

struct looking {
    bool (*try_file)(void *arg, const char *path);
    void *arg;
};

static bool look(void *arg, const struct code_file *f)
{
    const struct looking *l = arg;
    bool may_hold_libuv =
        f->is_exe || !strncmp(f->leaf, "libuv", 5) || !strncmp(f->leaf, "libnode", 7);
    return may_hold_libuv && l->try_file(l->arg, f->path);
}

bool uv_file_find(int pid, bool (*try_file)(void *arg, const char *path), void *arg)
{
    return code_files_each(pid, look, &(struct looking){try_file, arg});
}
