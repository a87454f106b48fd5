// One symbolised stack: immutable once made, shared by snapshots, findings and recordings.
//
// Ownership: reference counted, not thread safe: the agent's main thread only.
#ifndef LOOPSCOPE_SNAPSHOT_STACK_H
#define LOOPSCOPE_SNAPSHOT_STACK_H

#include <stdbool.h>
#include <stdint.h>

// Recordings keep these numbers: append only.
enum frame_kind {
    FRAME_NATIVE,
    FRAME_KERNEL,
    FRAME_PYTHON,
    FRAME_JAVASCRIPT,
    FRAME_LUA,
    FRAME_INLINED,
};

// Strings are never NULL-checked away: NULL is "unknown" and is shown as such.
struct frame {
    const char *function; // demangled; NULL: unknown, show module+0xoffset
    const char *file;     // as the debug data or the language has it
    const char *module;   // path of the ELF file or script; NULL in anonymous memory
    const char *build_id; // hex, of module; NULL unknown
    uint64_t offset;      // in module's file address space (0 for language frames)
    int line;             // 0 unknown
    uint8_t kind;         // enum frame_kind
    bool uncertain;       // a heuristic found it; may be wrong
    bool runtime;         // libc, interpreter or loop library itself: never the culprit
};

struct stack {
    int refs;
    char id[17];  // 16 hex digits: hash over the frames as named
    int culprit;  // index of the innermost frame that is the user's, -1 none known
    bool torn;    // unwinding or a walker failed midway: the root is missing or uncertain
    bool to_main; // the outermost frame is main, a thread's start or a process entry
    int nframes;
    struct frame frames[]; // leaf first; strings lie in the same allocation
};

// Copies frames and all their strings. Returns NULL when out of memory.
struct stack *stack_new(const struct frame *frames, int nframes, int culprit, bool torn,
                        bool to_main);
struct stack *stack_ref(struct stack *s);
void stack_unref(struct stack *s); // NULL is fine

const char *frame_kind_name(enum frame_kind k); // the word of cli.md's schema
// "function (file:line)" or "module+0xoffset": never empty. Returns buf.
const char *frame_text(const struct frame *f, char *buf, int size);

#endif
