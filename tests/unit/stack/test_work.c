// A helper that was taken over and does nothing but talk: it is listened to a little, then it is the agent's own work's
// turn again.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "work.h"

#define FLOOD 1000

struct talk {
    struct work work;
    struct target *targets;
    int epoll, helper, sent; // its end; what it has said
    int answers;
};

static void on_identity(void *arg, const struct identity *id)
{
    struct talk *t = arg;
    (void)id;
    t->answers++;
}

static int say(int fd, const struct message *m)
{
    return wire_send(&(struct wire){.fd = fd}, m);
}

// As if a helper ran at the other end of a pair, with one request under work.
static void start(struct talk *t)
{
    int pair[2], room = 4 << 20;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                     0);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    *t = (struct talk){.epoll = epoll_create1(EPOLL_CLOEXEC), .helper = pair[1]};
    work_init(&t->work, 0, t->epoll, &t->targets, NULL);
    t->work.lane.pid = getpid();
    t->work.lane.wire.fd = pair[0];
    t->work.current = calloc(1, sizeof(struct job));
    assert_non_null(t->work.current);
    *t->work.current = (struct job){
        .kind = MESSAGE_IDENTIFY, .id = 7, .pid = 1, .on_identity = on_identity, .arg = t};
    t->work.deadline_ns = INT64_MAX;
}

static void end(struct talk *t)
{
    free(t->work.current);
    close(t->work.lane.wire.fd);
    close(t->helper);
    close(t->epoll);
}

static void flood(struct talk *t)
{
    struct file_wish wish = {.kind = WISH_MAPPING, .pid = 1};
    const struct message need = {
        .kind = MESSAGE_NEED, .body = (uint8_t *)&wish, .size = sizeof(wish)};
    while (t->sent < FLOOD && say(t->helper, &need) == 0)
        t->sent++;
}

static int replies(struct talk *t)
{
    int n = 0;
    struct message m;
    struct wire w = {.fd = t->helper};
    while (wire_receive(&w, &m) > 0) {
        assert_int_equal(m.kind, MESSAGE_FILE);
        message_free(&m);
        n++;
    }
    return n;
}

static void who_only_talks_does_not_hold_the_agent(void **state)
{
    (void)state;
    struct talk t;
    start(&t);
    flood(&t);
    assert_true(t.sent > 100);
    work_dispatch(&t.work);
    int heard = replies(&t);
    assert_in_range(heard, 1, 100); // and the rest later
    for (int i = 0; i < FLOOD && heard < t.sent; i++) {
        work_dispatch(&t.work);
        heard += replies(&t);
    }
    assert_int_equal(heard, t.sent);
    uint32_t unknown = 0;
    const struct message answer = {
        .kind = MESSAGE_ANSWER, .id = 7, .body = (uint8_t *)&unknown, .size = sizeof(unknown)};
    assert_int_equal(say(t.helper, &answer), 0);
    work_dispatch(&t.work);
    assert_int_equal(t.answers, 1);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_only_talks_does_not_hold_the_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
