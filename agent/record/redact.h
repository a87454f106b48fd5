#ifndef LOOPSCOPE_RECORD_REDACT_H
#define LOOPSCOPE_RECORD_REDACT_H

#include "../snapshot/snapshot.h"

// A copy without paths, peers, names and arguments: each becomes a word that is the same wherever the
// same text stood, so that rows can still be told apart. Sentences, which may hold any of them, go.
// Functions and the base names of files and libraries in stacks stay: they are the diagnosis.
struct snap *snap_redact(const struct snap *s);

#define REDACT_WORD 24
const char *redact_word(const char *text, char word[REDACT_WORD]); // returns word

#endif
