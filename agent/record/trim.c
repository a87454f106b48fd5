#include "trim.h"

#include <string.h>

#include "tables.h"

// In a file: the row for queries, its part of the picture, and the names that no other row has.
#define ROW_BYTES 80

static int64_t text_bytes(const char *text)
{
    return text ? (int64_t)strlen(text) + 20 : 0;
}

static int64_t task_bytes(const struct snap_task *t)
{
    return ROW_BYTES + text_bytes(t->name) + text_bytes(t->waits_on);
}

static int64_t fd_bytes(const struct snap_fd *f)
{
    return ROW_BYTES + text_bytes(f->target);
}

static int tasks_that_fit(const struct snap *s, int64_t max_bytes)
{
    int n = 0;
    while (n < s->ntasks && (max_bytes -= task_bytes(&s->tasks[n])) >= 0)
        n++;
    return n;
}

// Cuts the details of each site in turn; what was cut.
static int cut_fds(struct snap *s, int64_t max_bytes, bool really)
{
    int cut = 0;
    for (int i = 0; i < s->nfds; i++) {
        struct snap_fd_site *site = &s->fds[i];
        int n = 0;
        while (n < site->ndetail && (max_bytes -= fd_bytes(&site->detail[n])) >= 0)
            n++;
        cut += site->ndetail - n;
        if (really)
            site->ndetail = n;
    }
    return cut;
}

struct snap *snap_trim(struct snap *s, int64_t max_bytes)
{
    int ntasks = tasks_that_fit(s, max_bytes);
    if (ntasks == s->ntasks && cut_fds(s, max_bytes, false) == 0)
        return snap_ref(s);
    struct snap *cut = snap_clone(s);
    cut->ntasks = ntasks;
    cut_fds(cut, max_bytes, true);
    return cut;
}
