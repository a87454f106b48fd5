// A target process as the helper knows it: its memory, mappings and modules.
//
// Modules come through an opener, because the helper may open nothing itself: it asks the agent for
// descriptors. In tests the opener opens directly.
#ifndef LOOPSCOPE_STACK_PROCESS_H
#define LOOPSCOPE_STACK_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "maps.h"
#include "mem.h"
#include "module.h"
#include "opener.h"
#include "text_users.h"

struct perf_map;
struct module_cache;
struct walkers;

// A file the process maps. module NULL: it could not be opened or is no ELF file (not tried again).
struct held {
    uint64_t device, inode;
    struct module *module;
    bool mapped; // scratch of refresh
};

// The one window through which all processes are read, one at a time: its cache is too big to have one a
// process.
struct memory {
    struct mem *mem;
    int fd; // of the process being read; borrowed
};

int memory_open(struct memory *m);
void memory_close(struct memory *m);

struct process {
    int pid;
    int mem_fd, maps_fd; // owned
    uint64_t entry;      // of the main program; 0 unknown
    struct memory *memory;
    struct mem *mem; // memory->mem: valid after process_begin
    struct maps maps;
    int64_t maps_read_ns; // when; 0 never
    int nheld, held_cap;
    struct held *held;
    struct module_cache *cache;
    const struct opener *opener;
    struct perf_map *perf_map;
    int64_t perf_map_tried_ns;
    struct walkers *walkers;
    struct module *vdso;
    bool own_runtime;    // runs on loopscope's own library: its ls_ functions are the runtime's
    const char *why_not; // every request is answered with it (32-bit target); NULL
};

// Where an address lies.
struct place {
    const struct mapping *mapping; // NULL: nowhere
    struct module *module;         // NULL: JIT or unreadable file
    uint64_t address;              // in the file's address space, when there is a module
    uint64_t bias;                 // address + bias is the process's address
    bool jit;                      // executable, but of no file
};

// Takes over the descriptors in every case.
struct process *process_new(int pid, const struct process_files *files, struct memory *memory,
                            struct module_cache *cache, const struct opener *opener);
void process_free(struct process *p);
// Turns the window to this process, with an empty cache and new bounds. stack: see mem_begin; NULL none.
void process_begin(struct process *p, uint64_t stack_base, const void *stack, size_t stack_len,
                   uint64_t max_pages, int64_t max_ns);
int process_refresh(struct process *p); // reads the mappings again
// Older than that: reads them again, so that a library loaded in another's place is noticed.
void process_refresh_if_older(struct process *p, int64_t age_ns);
struct place process_locate(struct process *p, uint64_t address);
bool process_is_code(struct process *p, uint64_t address);
// The module of a mapping, opened when first needed; NULL: none to be had.
struct module *process_module(struct process *p, struct mapping *m);
// Symbols and lines from the separate debug file, if there is one; tried once a module.
void process_add_debug_file(struct process *p, struct module *m);
// The JIT's own map, when there is one; looked for now and then, as it may come late.
void process_find_perf_map(struct process *p);
// What to add to an address of the file to get the process's, by the module's first mapping.
bool process_bias(struct process *p, const struct module *m, uint64_t *bias);
struct module *process_exe(struct process *p); // of the main program; NULL unknown
void process_preload(
    struct process *p); // opens what is mapped, so that the first stack is not late

uint64_t process_symbol(struct process *p, const char *module, const char *name);
uint64_t process_section(struct process *p, const char *module, const char *name, uint64_t *size);
uint64_t process_text(struct process *p, const char *module, const char *text);
int process_text_users(struct process *p, const char *module, const char *const *texts, int ntexts,
                       struct code_range *ret, int max);

#endif
