// Snapshots out of a recording, in order or from any point in time. Every byte of the file is hostile.
#ifndef LOOPSCOPE_RECORD_REPLAY_H
#define LOOPSCOPE_RECORD_REPLAY_H

#include "../error.h"
#include "../snapshot/snapshot.h"

struct replay;

// -errno and one clear line when path is missing, foreign, truncated, corrupt or of a newer format.
int replay_open(struct replay **ret, const char *path, struct error *err);
void replay_close(struct replay *r);
// The next snapshot (one reference, the caller's). 0 at the end, 1, or -errno.
int replay_next(struct replay *r, struct snap **ret, struct error *err);
// Makes the next replay_next give the newest snapshot at or before at_ns (else the first).
int replay_seek(struct replay *r, int64_t at_ns, struct error *err);
int64_t replay_length_ns(const struct replay *r); // of the last snapshot

#endif
