// One writer per format: a snapshot in, bytes out. Adding one is one file and one line in export.c.
#ifndef LOOPSCOPE_EXPORT_H
#define LOOPSCOPE_EXPORT_H

#include <stdio.h>

#include "../snapshot/snapshot.h"

enum export_part { // what a one-shot table shows; cli.md: parts not asked for are []
    PART_PROCESSES = 1 << 0,
    PART_LOOPS = 1 << 1,
    PART_FINDINGS = 1 << 2,
    PART_TASKS = 1 << 3,
    PART_FDS = 1 << 4,
    PART_STACKS = 1 << 5,
    PART_ALL = (1 << 6) - 1,
};

struct export_opts {
    unsigned parts;
    bool color, ascii;
    int width; // columns of text formats; 0: 100
};

struct export_format {
    const char *name, *media_type, *summary;
    int (*write)(const struct snap *s, const struct export_opts *o, FILE *out); // -errno
};
extern const struct export_format export_formats[]; // name NULL ends it
const struct export_format *export_find(const char *name);

#endif
