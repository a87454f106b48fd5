// One request of many gets no answer, and its task waits for it all but without a bound.
#include "gallery.h"

static uint64_t requests;

static int64_t serve_one(void *arg)
{
    ls_stream *s = arg;
    char line[64];
    bool lost = requests++ % 40 == 10;
    check(ls_stream_adopt(s), "adopt");
    ssize_t n = ls_read_until(s, line, sizeof(line), '\n', LS_FOREVER);
    if (lost) // forgotten by a worker that crashed
        n = ls_read_until(s, line, sizeof(line), '\n', LS_FOREVER);
    else if (n > 0 && ls_sleep(LS_MSEC(5)) == 0)
        ls_write(s, "ok\n", 3, LS_SEC(1));
    return 0;
}

static int64_t serve(void *arg)
{
    ls_listener *l = arg;
    ls_group *group;
    ls_stream *s;
    check(ls_listener_adopt(l), "adopt");
    check(ls_group_open(&group, LS_COLLECT_ALL, 0), "group");
    while (ls_check() == 0) {
        check(ls_accept(l, &s, LS_FOREVER), "accept");
        ls_stream_disown(s);
        check(ls_group_spawn(group, serve_one, s, NULL).id, "spawn");
    }
    return ls_check();
}

struct client {
    uint16_t port;
    int64_t patience;
};

static int64_t ask(void *arg)
{
    const struct client *c = arg;
    ls_stream *s;
    char line[64];
    int r = ls_tcp_connect(&s, "127.0.0.1", c->port, LS_SEC(1));
    if (r == 0)
        r = ls_write(s, "stock\n", 6, LS_SEC(1));
    if (r == 0)
        r = (int)ls_read_until(s, line, sizeof(line), '\n', c->patience);
    return r == -ETIMEDOUT ? 0 : r; // asked again another time
}

static int64_t run(int64_t patience)
{
    ls_listener *l;
    ls_group *group;
    check(ls_tcp_listen(&l, "127.0.0.1", 0, 0), "listen");
    struct client client = {(uint16_t)ls_listener_port(l), patience};
    ls_task server = ls_spawn(serve, l);
    check(ls_group_open(&group, LS_FAIL_FAST, 0), "group");
    while (ls_alive(server)) {
        check(ls_group_spawn(group, ask, &client, NULL).id, "spawn");
        check(ls_sleep(LS_MSEC(50)), "sleep");
    }
    return ls_await(server);
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return run(LS_SEC(80)); // as good as never
}

static int64_t cured(void *arg)
{
    (void)arg;
    return run(LS_MSEC(500));
}

const struct exhibit task_stuck = {"task-stuck",
                                   "one wait in forty takes 80 s where its peers take milliseconds",
                                   wrong, cured, false};
