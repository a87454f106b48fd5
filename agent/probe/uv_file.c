#include "uv_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 1024

static bool may_hold_libuv(const char *name, const char *exe)
{
    const char *last = strrchr(name, '/');
    return last && (strncmp(last, "/libuv", 6) == 0 || strncmp(last, "/libnode", 8) == 0 ||
                    strcmp(name, exe) == 0);
}

bool uv_file_find(int pid, bool (*try_file)(void *arg, const char *path), void *arg)
{
    char path[LINE_SIZE + 64], line[LINE_SIZE], name[LINE_SIZE], exe[LINE_SIZE] = "";
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t n = readlink(path, exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof(line), f)) {
        char mode[8];
        if (sscanf(line, "%*s %7s %*s %*s %*s %1023s", mode, name) != 2 || mode[2] != 'x' ||
            !may_hold_libuv(name, exe))
            continue;
        snprintf(path, sizeof(path), "/proc/%d/root%s", pid, name);
        found = try_file(arg, path);
    }
    if (f)
        fclose(f);
    return found;
}
