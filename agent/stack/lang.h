// What a language walker is: native frames in, the language's frames for them out. Adding a language is
// one file and one line in the table of lang.c. Runs only in the helper process (and in tests, fuzzers).
#ifndef LOOPSCOPE_STACK_LANG_H
#define LOOPSCOPE_STACK_LANG_H

#include "../snapshot/stack.h"
#include "mem.h"
#include "stacker.h"
#include "text_users.h"

struct native_frame {    // leaf first
    uint64_t pc, sp, bp; // bp 0: not known at this frame
    bool activation;     // pc is exact, not a return address
    bool jit;            // anonymous executable memory
    const char *symbol;  // of the ELF symbol table, undemangled; NULL
    const char *module;  // path; NULL
};

// What a walker needs to know of a process; offered by the unwinder's side.
struct lang_process {
    int pid;
    void *arg;
    // Address of a symbol in the process (any module whose base name contains `module`, NULL any); 0.
    uint64_t (*symbol)(void *arg, const char *module, const char *name);
    // Address and size of an ELF section as mapped, e.g. ".PyRuntime"; 0.
    uint64_t (*section)(void *arg, const char *module, const char *name, uint64_t *size);
    // Which mapping holds the address; false: none. path may come back NULL.
    bool (*mapping)(void *arg, uint64_t address, uint64_t *start, uint64_t *end, bool *exec,
                    const char **path);
    // Address of a text among the constants, and the functions whose code uses it, as text_users.h has them;
    // what a stripped file is known by. 0: none.
    uint64_t (*text)(void *arg, const char *module, const char *text);
    int (*text_users)(void *arg, const char *module, const char *const *texts, int ntexts,
                      struct code_range *ret, int max);
};

struct lang_frame { // the frame replaces (or, several, expands) native frame `at`; leaf first
    int at;
    struct frame frame; // strings live until the next walk
};

struct lang_result {
    int nframes;
    struct lang_frame *frames; // sorted by at
    bool torn;                 // stopped midway
    bool gc, in_language;
    const char *lock, *holder; // what it waits for, and who has it; NULL
    struct task_ref task;
    struct frame_place place;
};

struct lang {
    const char *name;
    enum frame_kind kind;
    // NULL: the process does not run this language. note (160 bytes) says when a version is not known.
    void *(*attach)(const struct lang_process *p, struct mem *m, char *note, char *version);
    void (*detach)(void *self);
    void (*walk)(void *self, struct mem *m, int tid, const struct native_frame *frames, int n,
                 struct lang_result *ret);
    // The next walk is about these frames of the language. NULL where frames lie on the stack.
    void (*take)(void *self, const struct taken_frame *frames, int n);
    // asyncio: NULL where the language has no tasks.
    void (*tasks)(void *self, struct mem *m, bool gc_walk, int max_rows, struct tasks_answer *ret);
};

extern const struct lang *const all_langs[]; // NULL ends it

#endif
