#include "cohort.h"

static bool keeps_coming(const int64_t q[4])
{
    int nonzero = 0;
    for (int i = 0; i < 4; i++)
        nonzero += q[i] > 0;
    return q[3] > 0 && nonzero >= 3 && 2 * (q[2] + q[3]) >= q[0] + q[1];
}

bool cohort_keeps_growing(const int64_t sixths[6])
{
    int64_t most = 0;
    for (int i = 0; i < 6; i++) {
        if (sixths[i] == 0)
            return false;
        most = sixths[i] > most ? sixths[i] : most;
    }
    return 2 * sixths[5] >= most;
}

// The shortest horizon beyond which nothing is closed any more; NULL: none.
const struct fd_cohort *cohort_leaking(const struct snap_fd_site *s, double share, double min)
{
    for (int i = 0; i < s->ncohorts; i++) {
        const struct fd_cohort *c = &s->cohorts[i];
        if (c->horizon_ns > 0 && (double)c->survivors >= min &&
            (double)c->closed <= share * (double)(c->closed + c->survivors) &&
            keeps_coming(c->quarters))
            return c;
    }
    return NULL;
}

bool cohort_seen_enough(const struct snap_fd_site *s)
{
    for (int i = 0; i < s->ncohorts; i++)
        if (s->cohorts[i].horizon_ns > 0)
            return true;
    return false;
}
