// Recordings: an SQLite file with a documented schema (docs/recording.md). record_* writes snapshots as
// they come; source_open_recording() (source.h) gives them back.
#ifndef LOOPSCOPE_RECORD_H
#define LOOPSCOPE_RECORD_H

#include "../error.h"
#include "../opts.h"
#include "../snapshot/snapshot.h"

struct recorder;

int record_open(struct recorder **ret, const char *path, const struct opts *opts,
                struct error *err);
int record_write(struct recorder *r, const struct snap *s, struct error *err);
int record_close(struct recorder *r, struct error *err); // commits and checkpoints

#endif
