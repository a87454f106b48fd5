// Which file of a process has libuv's functions under their names: a library of its own, or the program's file.
#ifndef LOOPSCOPE_PROBE_UV_FILE_H
#define LOOPSCOPE_PROBE_UV_FILE_H

#include <stdbool.h>

// Calls try_file with each file that may be it, by a path that we can open, until it returns true. False: none did,
// or the process cannot be looked at.
bool uv_file_find(int pid, bool (*try_file)(void *arg, const char *path), void *arg);

#endif
