// What the tests of recordings share: one file in a folder of their own.
#ifndef LOOPSCOPE_TEST_RECORDING_H
#define LOOPSCOPE_TEST_RECORDING_H

#include <stdbool.h>

#include "../../../agent/error.h"
#include "../../../agent/opts.h"
#include "../../../agent/snapshot/snapshot.h"

extern char folder[], path[200]; // of the file
extern struct error err;

bool recording_begin(void); // makes the folder
void recording_end(void);   // removes file and folder

char *json_of(const struct snap *s); // the document and its events; free() it
void write_all(struct snap **snaps, int n, const struct opts *opts);
void free_all(struct snap **snaps, int n);

#endif
