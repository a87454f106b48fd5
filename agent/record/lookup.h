// Texts and stacks of a recording by their row, read when first needed.
#ifndef LOOPSCOPE_RECORD_LOOKUP_H
#define LOOPSCOPE_RECORD_LOOKUP_H

#include <sqlite3.h>

#include "../snapshot/snapshot.h"

struct lookup;
struct lookup *lookup_new(sqlite3 *db); // NULL when the tables are not as they should be
void lookup_free(struct lookup *l);
// In the memory of `into`, or held by it; NULL when there is no such row.
const char *lookup_text(struct lookup *l, struct snap *into, int64_t id);
struct stack *lookup_stack(struct lookup *l, struct snap *into, int64_t id);

#endif
