// Snapshots out of a recording, in order or from any point in time. Every byte of the file is hostile.
#ifndef LOOPSCOPE_RECORD_READER_H
#define LOOPSCOPE_RECORD_READER_H

#include "../error.h"
#include "../snapshot/snapshot.h"

struct reader;

// -errno and one clear line when path is missing, foreign, truncated, corrupt or of a newer format.
int reader_open(struct reader **ret, const char *path, struct error *err);
void reader_close(struct reader *r);
// The next snapshot (one reference, the caller's). 0 at the end, 1, or -errno.
int reader_next(struct reader *r, struct snap **ret, struct error *err);
// Makes the next reader_next give the newest snapshot at or before at_ns (else the first).
int reader_seek(struct reader *r, int64_t at_ns, struct error *err);
int64_t reader_length_ns(const struct reader *r); // of the last snapshot

#endif
