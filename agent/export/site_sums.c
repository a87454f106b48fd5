#include "site_sums.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "names.h"

struct site {
    uint64_t key;
    int pid, sum; // -1: there are too many names
    int64_t started_unix_ns;
    int64_t opened, closed; // as last seen
    uint64_t round;         // of the newest snapshot that has it, and what that says:
    int64_t now_opened, now_closed;
    UT_hash_handle hh;
};

struct site_sums {
    struct site_sum *list;
    int n;
    struct site *sites;
    uint64_t round;
};

struct site_sums *site_sums_new(void)
{
    struct site_sums *sums = calloc(1, sizeof(*sums));
    if (!sums || !(sums->list = calloc(SITE_SUMS_NAMES, sizeof(*sums->list))))
        abort();
    return sums;
}

static void forget(struct site_sums *sums, struct site *site)
{
    HASH_DEL(sums->sites, site);
    free(site);
}

void site_sums_free(struct site_sums *sums)
{
    struct site *site, *next;
    if (!sums)
        return;
    HASH_ITER (hh, sums->sites, site, next)
        forget(sums, site);
    for (int i = 0; i < sums->n; i++) {
        free(sums->list[i].process);
        free(sums->list[i].type);
    }
    free(sums->list);
    free(sums);
}

static int sum_of(struct site_sums *sums, const char *process, const char *type)
{
    for (int i = 0; i < sums->n; i++)
        if (!strcmp(sums->list[i].process, process) && !strcmp(sums->list[i].type, type))
            return i;
    if (sums->n == SITE_SUMS_NAMES)
        return -1;
    struct site_sum *sum = &sums->list[sums->n];
    if (!(sum->process = strdup(process)) || !(sum->type = strdup(type)))
        abort();
    return sums->n++;
}

// FNV-1a, the texts' ends told apart.
static uint64_t mix(uint64_t hash, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
    return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    return mix(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

static int64_t start_of(const struct snap *s, int pid)
{
    const struct snap_process *p = snap_process_of(s, pid);
    return p ? p->started_unix_ns : 0;
}

// The site of these texts, in a process that is told from an older one of its number by when it began.
static struct site *site_of(struct site_sums *sums, const struct snap *s, int pid, const char *type,
                            const char *const texts[3])
{
    struct site *site;
    int64_t started = start_of(s, pid);
    uint64_t key = mix(mix(0xcbf29ce484222325, &pid, sizeof(pid)), &started, sizeof(started));
    for (int i = 0; i < 3; i++)
        key = mix_text(key, texts[i]);
    HASH_FIND(hh, sums->sites, &key, sizeof(key), site);
    if (site)
        return site;
    if (!(site = calloc(1, sizeof(*site))))
        abort();
    site->key = key;
    site->pid = pid;
    site->started_unix_ns = started;
    site->sum = sum_of(sums, process_name(s, pid), type);
    HASH_ADD(hh, sums->sites, key, sizeof(key), site);
    return site;
}

static void see(struct site_sums *sums, struct site *site, int64_t opened, int64_t closed)
{
    if (site->round != sums->round) {
        site->round = sums->round;
        site->now_opened = site->now_closed = 0;
    }
    if (opened == SNAP_UNKNOWN)
        return;
    site->now_opened += opened;
    site->now_closed += closed > 0 ? closed : 0;
    if (site->sum >= 0)
        sums->list[site->sum].counted = true;
}

static int64_t rise(int64_t *was, int64_t now)
{
    int64_t by = now > *was ? now - *was : 0;
    *was = now;
    return by;
}

static bool is_over(const struct snap *s, const struct site *site)
{
    const struct snap_process *p = snap_process_of(s, site->pid);
    return !p || p->exited || p->started_unix_ns != site->started_unix_ns;
}

static void settle(struct site_sums *sums, const struct snap *s)
{
    struct site *site, *next;
    HASH_ITER (hh, sums->sites, site, next) {
        if (site->round != sums->round) {
            if (is_over(s, site))
                forget(sums, site);
            continue;
        }
        int64_t opened = rise(&site->opened, site->now_opened);
        int64_t closed = rise(&site->closed, site->now_closed);
        if (site->sum < 0)
            continue;
        sums->list[site->sum].opened += opened;
        sums->list[site->sum].closed += closed;
    }
}

void site_sums_add_fds(struct site_sums *sums, const struct snap *s)
{
    sums->round++;
    for (int i = 0; i < s->nfds; i++) {
        const struct snap_fd_site *f = &s->fds[i];
        const char *type = f->kind ? f->kind : "other";
        const char *const texts[3] = {type, f->stack ? f->stack->id : NULL, f->note};
        if (!f->is_handle)
            see(sums, site_of(sums, s, f->pid, type, texts), f->opened, f->closed);
    }
    settle(sums, s);
}

void site_sums_add_tasks(struct site_sums *sums, const struct snap *s)
{
    sums->round++;
    for (int i = 0; i < s->ntask_sites; i++) {
        const struct snap_task_site *t = &s->task_sites[i];
        const char *const texts[3] = {t->site, t->name, NULL};
        see(sums, site_of(sums, s, t->pid, "", texts), t->spawned, 0);
    }
    settle(sums, s);
}

const struct site_sum *site_sums_list(const struct site_sums *sums, int *ret_n)
{
    *ret_n = sums->n;
    return sums->list;
}
