// The files whose code a process has mapped.
#ifndef LOOPSCOPE_PROBE_CODE_FILES_H
#define LOOPSCOPE_PROBE_CODE_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct code_file {
    uint64_t start, end; // of the mapping, in the process
    uint64_t offset;     // of its first byte, in the file
    const char *leaf;    // the last part of its name
    const char *path;    // by which we can open it, whatever root the process has
    bool is_exe;         // it is the program's own file, which may have been removed since
};

// Calls each with every executable mapping of a file, in order of addresses, until it returns true. False: it never
// did, or the process cannot be looked at. The strings live during the call.
bool code_files_each(int pid, bool (*each)(void *arg, const struct code_file *f), void *arg);

#endif
