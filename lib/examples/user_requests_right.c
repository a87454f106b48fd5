// User requests, well done: user_requests_right PORT [USERS [SECONDS]]. The work of user_requests_wrong.c: at most 10 users at a time,
// both fetches at once, SECONDS (1) for a fetch and ten times as long for all of it, the analysis on the thread pool, a failed user
// logged and skipped, everything released on every way out.
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE  10
#define MAX_BODY 65536

static uint16_t port;
static int users = 12;
static int64_t fetch_timeout = LS_SEC(1);
static unsigned heartbeats;
static ls_logger *log_;

struct part {
    int user;
    const char *what;
    char text[1024];
};

static int64_t fetch(void *arg)
{
    struct part *p = arg;
    struct url url = {.host = "127.0.0.1", .port = port};
    struct response response;
    snprintf(url.path, sizeof(url.path), "/users/%d/%s", p->user, p->what);
    int r = http_get(&url, &response, MAX_BODY, fetch_timeout);
    if (r == 0 && response.status != 200)
        r = -EREMOTEIO;
    if (r == 0)
        snprintf(p->text, sizeof(p->text), "%s", response.body);
    return r;
}

struct analysis {
    const char *profile, *orders;
};

static int64_t analyse(void *arg) // on a thread of the pool
{
    const struct analysis *a = arg;
    unsigned hash = 5381;
    for (int round = 0; round < 600000; round++) {
        for (const char *c = a->profile; *c; c++)
            hash = hash * 33 + (unsigned char)*c;
        for (const char *c = a->orders; *c; c++)
            hash = hash * 33 + (unsigned char)*c;
    }
    return hash;
}

// Both fetches at once; the first that fails cancels the other.
static int64_t fetch_both(struct part *profile, struct part *orders)
{
    ls_group *group;
    int r = ls_group_open(&group, LS_FAIL_FAST, 0);
    if (r < 0)
        return r;
    ls_group_spawn(group, fetch, profile, NULL);
    ls_group_spawn(group, fetch, orders, NULL);
    return ls_group_wait(group);
}

static int64_t process_user(void *arg)
{
    int user = (int)(intptr_t)arg;
    struct part profile = {.user = user, .what = "profile"},
                orders = {.user = user, .what = "orders"};
    int64_t r = fetch_both(&profile, &orders);
    struct analysis both = {profile.text, orders.text};
    if (r == 0)
        r = ls_offload(analyse, &both, LS_FOREVER);
    if (r == -ECANCELED)
        return r;
    if (r < 0)
        ls_log(log_, LS_LOG_WARN, "user skipped", ls_int("user", user), ls_error((int)r));
    else
        printf("user %d: %08x\n", user, (unsigned)r);
    return r;
}

static int64_t process_all(void)
{
    struct ls_job *jobs = ls_alloc((size_t)users * sizeof(*jobs));
    int64_t *results = ls_alloc((size_t)users * sizeof(*results));
    if (!jobs || !results)
        return -ENOMEM;
    for (int i = 0; i < users; i++)
        jobs[i] = (struct ls_job){process_user, (void *)(intptr_t)(i + 1)};
    return ls_gather(jobs, (size_t)users, AT_ONCE, results, 10 * fetch_timeout);
}

static int64_t beat(void *arg)
{
    while (ls_sleep(LS_MSEC(10)) == 0)
        heartbeats++;
    return (intptr_t)arg;
}

static int64_t run(void *arg)
{
    int64_t began = ls_now();
    int r = ls_logger_new(&log_, &(struct ls_logger_options){.level = LS_LOG_INFO});
    if (r < 0)
        return r;
    ls_task heart = ls_spawn(beat, arg);
    int64_t failed = process_all();
    ls_cancel(heart);
    int64_t beaten = ls_await(heart);
    ls_log_flush(log_, LS_SEC(1));
    ls_logger_free(log_, LS_SEC(1));
    if (failed < 0 || beaten < 0)
        return failed < 0 ? failed : beaten;
    printf("%d users in %.0f ms, %d skipped; heartbeats: %u\n", users,
           (double)(ls_now() - began) / 1e6, (int)failed, heartbeats);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: user_requests_right PORT [USERS [SECONDS]]\n");
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    if (argc > 2)
        users = atoi(argv[2]);
    if (argc > 3)
        fetch_timeout = LS_SEC(atoi(argv[3]));
    int64_t r = ls_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "user_requests_right: %s\n", strerror((int)-r));
    return r < 0;
}
