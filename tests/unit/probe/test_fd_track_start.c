// A tracker that is opened beside the caller's work: it comes whole, or, given up, is gone with its thread.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../agent/probe/fd_track.h"
#include "../../../agent/probe/procfs.h"
#include "watching.h"

#define PATIENCE_NS (60000 * MS)

static void opens_and_closes(void *arg)
{
    for (;;) {
        close(open("/dev/null", O_RDONLY | O_CLOEXEC));
        usleep(500);
    }
    (void)arg;
}

static void on_opening(void *arg, const struct fd_opening *o)
{
    *(int *)arg += o->fd >= 0 && o->key > 0;
}

static struct fd_track *wait_for(struct fd_track_start *s, int *openings)
{
    struct fd_track *t = NULL;
    struct error err = {0};
    int r = 0;
    for (int64_t until = now() + PATIENCE_NS; r == 0 && now() < until;) {
        usleep(1000);
        r = fd_track_started(s, &t, on_opening, openings, &err);
    }
    if (r == -EPERM) {
        print_message("skipped: %s\n", err.text);
        skip();
    }
    assert_int_equal(r, 1);
    return t;
}

static void it_comes_whole(void **state)
{
    (void)state;
    struct fd_track_start *s;
    int openings = 0, pid = start_child(opens_and_closes, NULL);
    const struct fd_track_config config = {.pid = pid, .descriptors = 100};
    assert_int_equal(fd_track_start(&s, &config), 0);
    struct fd_track *t = wait_for(s, &openings);
    for (int64_t until = now() + PATIENCE_NS; !openings && now() < until; usleep(1000))
        fd_track_dispatch(t);
    assert_true(openings > 0);
    assert_true(fd_track_is_open(t, STDIN_FILENO)); // from before it
    fd_track_close(t);
    end_child(pid);
}

static int count(void *arg, int tid)
{
    (void)tid;
    ++*(int *)arg;
    return 0;
}

static void given_up_it_is_gone(void **state)
{
    (void)state;
    int pid = start_child(opens_and_closes, NULL), threads = 0;
    const struct fd_track_config config = {.pid = pid, .descriptors = 100};
    for (int i = 0; i < 3; i++) {
        struct fd_track_start *s;
        assert_int_equal(fd_track_start(&s, &config), 0);
        usleep((useconds_t)i * 20000); // before, while and after it loads
        fd_track_give_up(s);
    }
    fd_track_give_up(NULL);
    for (int64_t until = now() + PATIENCE_NS; threads != 1 && now() < until; usleep(1000)) {
        threads = 0;
        assert_int_equal(proc_each_thread(getpid(), count, &threads), 0);
    }
    assert_int_equal(threads, 1);
    end_child(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_whole),
        cmocka_unit_test(given_up_it_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
