// Events that the kernel told nobody: the table is right again once the tracker knows of a loss, and only the openers
// of these are unknown.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../agent/probe/fd_track_internal.h"

#define HIGHEST 4096
#define UNSEEN  5

enum step { OPEN, CLOSE, COPY_HIGH };

struct order {
    enum step step;
    int fd;
};

struct child { // it opens and closes what it is told to
    pid_t pid;
    int orders;
    struct fd_track *t;
};

static void on_opening(void *arg, const struct fd_opening *o)
{
    (void)arg;
    (void)o;
}

static int do_step(const struct order *o)
{
    switch (o->step) {
    case OPEN: return open("/dev/null", O_RDONLY);
    case CLOSE: return close(o->fd);
    case COPY_HIGH: return fcntl(o->fd, F_DUPFD, HIGHEST / 2);
    }
    return -1;
}

static void serve(int orders)
{
    struct order o;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(orders, &o, sizeof(o)) == sizeof(o)) {
        int answer = do_step(&o);
        if (write(orders, &answer, sizeof(answer)) != sizeof(answer))
            break;
    }
    _exit(0);
}

static int tell(const struct child *c, enum step step, int fd)
{
    const struct order o = {step, fd};
    int answer = -1;
    assert_int_equal(write(c->orders, &o, sizeof(o)), sizeof(o));
    assert_int_equal(read(c->orders, &answer, sizeof(answer)), sizeof(answer));
    assert_true(answer >= 0);
    return answer;
}

static int setup(void **state)
{
    static struct child c;
    struct error err = {0};
    int two[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two))
        return -1;
    c = (struct child){.pid = fork(), .orders = two[0]};
    if (c.pid == 0) {
        close(two[0]); // its end is the parent's alone
        serve(two[1]);
    }
    close(two[1]);
    const struct fd_track_config config = {.pid = c.pid, .descriptors = HIGHEST};
    if (fd_track_open(&c.t, &config, on_opening, NULL, &err)) {
        print_message("skipped: %s\n", err.text);
        c.t = NULL;
    }
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    struct child *c = *state;
    close(c->orders);
    waitpid(c->pid, NULL, 0);
    fd_track_close(c->t);
    return 0;
}

static void deafen(struct fd_track *t)
{
    while (t->nlinks)
        bpf_link__destroy(t->links[--t->nlinks]);
}

// As if the kernel had counted one that it passed over.
static void tell_of_a_loss(struct fd_track *t)
{
    t->skel->bss->unstable++;
}

static bool is_open(const struct child *c, int fd)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", c->pid, fd);
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void expect_equal(const struct child *c)
{
    for (int fd = 0; fd < HIGHEST; fd++)
        if (fd_track_is_open(c->t, fd) != is_open(c, fd))
            fail_msg("descriptor %d: table %d", fd, fd_track_is_open(c->t, fd));
}

static bool has_opener(const struct child *c, int fd)
{
    struct fd_slot slot;
    assert_true(fd_track_slot(c->t, fd, c->t->slots[fd].word, &slot));
    return slot.key != 0;
}

static void test_unseen_openings(void **state)
{
    const struct child *c = *state;
    if (!c->t)
        skip();
    int known = tell(c, OPEN, 0), gone = tell(c, OPEN, 0);
    expect_equal(c);
    assert_int_equal(fd_track_settle(c->t), 0);

    deafen(c->t);
    tell(c, CLOSE, gone);
    for (int i = 0; i < UNSEEN; i++)
        tell(c, OPEN, 0);
    int high = tell(c, COPY_HIGH, known);
    assert_false(fd_track_is_open(c->t, high));
    assert_int_equal(fd_track_settle(c->t), 0); // nobody knows of a loss

    tell_of_a_loss(c->t);
    uint64_t mended = fd_track_settle(c->t);
    expect_equal(c);
    assert_true(mended >= UNSEEN); // one may have got the file that was closed
    assert_int_equal(fd_track_settle(c->t), mended);
    assert_true(has_opener(c, known));
    assert_false(has_opener(c, high));
}

// What is not open any more is found by the slots in use.
static void test_unseen_closing(void **state)
{
    const struct child *c = *state;
    if (!c->t)
        skip();
    int fd = tell(c, OPEN, 0);
    assert_true(fd_track_is_open(c->t, fd));
    deafen(c->t);
    tell(c, CLOSE, fd);
    tell_of_a_loss(c->t);
    assert_int_equal(fd_track_settle(c->t), 1);
    expect_equal(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unseen_openings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unseen_closing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
