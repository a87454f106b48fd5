// Fetches URLs: http_fetch [-n LIMIT] [-t SECONDS] URL... At most LIMIT at once, each within its time; one that fails
// does not stop the others.
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BODY (1 << 20)

struct options {
    uint32_t limit;
    double seconds;
    char **urls;
    size_t n;
};

struct fetch {
    const char *url;
    int64_t timeout_ns;
};

static int64_t fetch(void *arg)
{
    const struct fetch *f = arg;
    struct url url;
    struct response response;
    int64_t began = ls_now();
    int r = url_parse(&url, f->url);
    if (r == 0)
        r = http_get(&url, &response, MAX_BODY, f->timeout_ns);
    double ms = (double)(ls_now() - began) / 1e6;
    if (r < 0)
        printf("%s: %s after %.0f ms\n", f->url, strerror(-r), ms);
    else
        printf("%s: %d, %zu bytes in %.0f ms\n", f->url, response.status, response.size, ms);
    return r < 0 ? r : response.status >= 400 ? -EREMOTEIO : 0;
}

static int64_t fetch_all(void *arg)
{
    const struct options *o = arg;
    struct ls_job *jobs = ls_alloc(o->n * sizeof(*jobs));
    struct fetch *fetches = ls_alloc(o->n * sizeof(*fetches));
    int64_t *results = ls_alloc(o->n * sizeof(*results));
    if (!jobs || !fetches || !results)
        return -ENOMEM;
    for (size_t i = 0; i < o->n; i++) {
        fetches[i] = (struct fetch){o->urls[i], (int64_t)(o->seconds * 1e9)};
        jobs[i] = (struct ls_job){fetch, &fetches[i]};
    }
    return ls_gather(jobs, o->n, o->limit, results, LS_FOREVER); // how many failed
}

int main(int argc, char **argv)
{
    struct options o = {.limit = 8, .seconds = 10};
    for (int c; (c = getopt(argc, argv, "n:t:")) != -1;) {
        if (c == 'n')
            o.limit = (uint32_t)strtoul(optarg, NULL, 10);
        else if (c == 't')
            o.seconds = strtod(optarg, NULL);
        else
            return 2;
    }
    o.urls = argv + optind;
    o.n = (size_t)(argc - optind);
    if (o.n == 0) {
        fprintf(stderr, "usage: http_fetch [-n LIMIT] [-t SECONDS] URL...\n");
        return 2;
    }
    int64_t failed = ls_run(fetch_all, &o);
    if (failed < 0)
        fprintf(stderr, "http_fetch: %s\n", strerror((int)-failed));
    return failed != 0;
}
