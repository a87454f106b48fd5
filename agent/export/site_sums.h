// What was counted at opening and spawning sites, added up by the name of the process and a type: counters that do
// not fall when a site has nothing open any more or one of several processes of a name ends, or a monitoring system
// takes it for a restart.
//
// A site's count is followed from snapshot to snapshot and only what it rose by is added. One that has left the
// picture keeps its place for as long as its process lives, since it may come back with all it had counted.
//
// Bounded: SITE_SUMS_NAMES pairs of a name and a type; a site costs some 100 bytes while its process lives.
#ifndef LOOPSCOPE_EXPORT_SITE_SUMS_H
#define LOOPSCOPE_EXPORT_SITE_SUMS_H

#include "../snapshot/snapshot.h"

#define SITE_SUMS_NAMES 1000

struct site_sum {
    char *process, *type; // type: of descriptors; "" of tasks
    bool counted;         // opened and closed are known
    int64_t opened, closed;
};

struct site_sums;

struct site_sums *site_sums_new(void);
void site_sums_free(struct site_sums *sums); // NULL is fine
// With each snapshot, in order. opened: tasks spawned.
void site_sums_add_fds(struct site_sums *sums, const struct snap *s);
void site_sums_add_tasks(struct site_sums *sums, const struct snap *s);
// In the order of their first appearance.
const struct site_sum *site_sums_list(const struct site_sums *sums, int *ret_n);

#endif
