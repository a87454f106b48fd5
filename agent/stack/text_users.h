// Functions of a stripped file, known by the texts they use: a trace event's name is in the code that sends it,
// whatever the symbol table leaves out.
#ifndef LOOPSCOPE_STACK_TEXT_USERS_H
#define LOOPSCOPE_STACK_TEXT_USERS_H

#include <stddef.h>
#include <stdint.h>

#include "module.h"

#define TEXT_USERS_TEXTS 8 // more are not looked for

struct code_range {
    uint64_t start, end;
};

// Where the constant data hold the text as a whole, not as the tail of a longer one; 0: nowhere.
uint64_t module_text(const struct module *m, const char *text);
// The functions whose code takes the address of one of the texts (each once, addresses of the file); how many.
// Reads all of the code: some 25 ms for 50 MB.
int module_text_users(const struct module *m, const char *const *texts, int ntexts,
                      struct code_range *ret, int max);

#endif
