// What things are called in formats that have one word for them.
#ifndef LOOPSCOPE_EXPORT_NAMES_H
#define LOOPSCOPE_EXPORT_NAMES_H

#include "../snapshot/snapshot.h"

const char *process_name(const struct snap *s, int pid); // never NULL
const char *thread_name(const struct snap *s, int tid);  // never NULL
// What was watched, as a person would say it: "node (29119)", where TARGET was a number.
const char *watched_name(const struct snap *s, char *buf, size_t size);
// A frame in one word: its function, else module+0xoffset. Clean, never empty.
const char *frame_word(const struct frame *f, char *buf, size_t size);

// Texts numbered in the order of their first use, from 0.
struct numbering;
struct numbering *numbering_new(void);
void numbering_free(struct numbering *n);
int numbering_of(struct numbering *n, const char *text, bool *ret_new); // ret_new may be NULL
int numbering_count(const struct numbering *n);
const char *numbering_text(const struct numbering *n, int i);

#endif
