#ifndef LOOPSCOPE_RECORD_ROUND_H
#define LOOPSCOPE_RECORD_ROUND_H

#include "../snapshot/snapshot.h"

// Times to the microsecond, shares to 1/16384: what lies below is noise, and noise is what a recording of
// a day would mostly consist of. A live source does this before anyone sees the snapshot, so that a
// recording is not less exact than what was seen.
void snap_round(struct snap *s);

#endif
