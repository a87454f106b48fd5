#include "code_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_SIZE = 1024 };

static bool parse_code(const char *line, struct code_file *f, char name[NAME_SIZE])
{
    char mode[8];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %1023[^\n]", &f->start,
               &f->end, mode, &f->offset, name) != 5 ||
        mode[2] != 'x')
        return false;
    const char *slash = strrchr(name, '/');
    f->leaf = slash ? slash + 1 : NULL; // else [vdso] and the like
    return slash != NULL;
}

static void read_exe(int pid, char exe[NAME_SIZE])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t len = readlink(path, exe, NAME_SIZE - 1);
    exe[len > 0 ? len : 0] = '\0';
}

bool code_files_each(int pid, bool (*each)(void *arg, const struct code_file *f), void *arg)
{
    char line[NAME_SIZE + 256], name[NAME_SIZE], exe[NAME_SIZE], path[NAME_SIZE + 64];
    struct code_file code = {.path = path};
    bool stopped = false;
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *f = fopen(path, "re");
    read_exe(pid, exe);
    while (f && !stopped && fgets(line, sizeof(line), f)) {
        if (!parse_code(line, &code, name))
            continue;
        code.is_exe = !strcmp(name, exe);
        if (code.is_exe)
            snprintf(path, sizeof(path), "/proc/%d/exe", pid);
        else
            snprintf(path, sizeof(path), "/proc/%d/root%s", pid, name);
        stopped = each(arg, &code);
    }
    if (f)
        fclose(f);
    return stopped;
}
