// /proc/PID/maps as a sorted array. Paths lie in the text that was read: one allocation for all.
#ifndef LOOPSCOPE_STACK_MAPS_H
#define LOOPSCOPE_STACK_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module;

struct mapping {
    uint64_t start, end, offset;
    uint64_t device, inode; // device: major << 32 | minor, as maps prints it
    bool read, write, exec;
    const char *path; // "" anonymous; "[vdso]", "[heap]"; " (deleted)" cut off
    bool deleted;
    struct module *module; // the reader's to fill; borrowed
};

struct maps {
    char *text;
    int n;
    struct mapping *list; // by address
};

// Reads from the beginning of the descriptor. -errno; *ret is then empty.
int maps_read(struct maps *ret, int fd);
// Parses text in place (and takes it over: maps_free frees it). What does not look like a mapping,
// and what is not in ascending order, is left out.
int maps_parse(struct maps *ret, char *text);
void maps_free(struct maps *m);

struct mapping *maps_find(const struct maps *m, uint64_t address); // NULL: not mapped
// Anonymous memory that can be executed: a JIT's, or text that was moved to huge pages.
bool mapping_is_anonymous(const struct mapping *m);

#endif
