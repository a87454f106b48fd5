// The helper process: answers, deaths, deadlines, and what it may no longer do.
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "stacker.h"
#include "target.h"

struct seen {
    int answers, stacks, to_main, culprits, identities;
    char why_not[256], runtime[32];
};

static struct capture captured;

static void on_stack(void *arg, const struct stack_answer *a)
{
    struct seen *s = arg;
    s->answers++;
    s->stacks += a->stack != NULL;
    s->to_main += a->stack && a->stack->to_main;
    const char *culprit =
        a->stack && a->stack->culprit >= 0 ? a->stack->frames[a->stack->culprit].function : NULL;
    s->culprits += culprit && !strcmp(culprit, "stay");
    snprintf(s->why_not, sizeof(s->why_not), "%s", a->why_not ? a->why_not : "");
}

static void on_identity(void *arg, const struct identity *id)
{
    struct seen *s = arg;
    s->answers++;
    s->identities += id != NULL;
    snprintf(s->runtime, sizeof(s->runtime), "%s", id ? runtime_name(id->runtime) : "");
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void wait_answers(struct stacker *s, const struct seen *seen, int n)
{
    int64_t end = now_ns() + 20000000000ll;
    while (seen->answers < n && now_ns() < end) {
        struct pollfd p = {.fd = stacker_fd(s), .events = POLLIN};
        poll(&p, 1, 20);
        stacker_dispatch(s);
    }
    assert_int_equal(seen->answers, n);
}

static bool is_helper(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    FILE *c = fopen(path, "r");
    size_t n = c ? fread(text, 1, sizeof(text) - 1, c) : 0;
    if (c)
        fclose(c);
    text[n] = '\0';
    return n > strlen(text) + 1 && !strcmp(text + strlen(text) + 1, STACK_HELPER_ARG);
}

// The only helper below this process: a child of its child, the spawner. 0: none.
static pid_t find_helper(pid_t parent)
{
    char path[64];
    pid_t pid, found = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
    FILE *f = fopen(path, "r");
    while (f && fscanf(f, "%d", &pid) == 1)
        found = is_helper(pid) ? pid : parent == getpid() && !found ? find_helper(pid) : found;
    if (f)
        fclose(f);
    return found;
}

// It has its command line a moment after it was started.
static pid_t helper_pid(void)
{
    pid_t pid = 0;
    for (int i = 0; i < 1000 && pid == 0; i++) {
        pid = find_helper(getpid());
        if (pid == 0)
            usleep(1000);
    }
    assert_int_not_equal(pid, 0);
    return pid;
}

static struct stacker *open_with(struct target_process *t)
{
    struct stacker *s;
    struct error err;
    assert_int_equal(stacker_open(&s, NULL, &err), 0);
    assert_int_equal(stacker_add_process(s, t->pid, &err), 0);
    return s;
}

static void answers_through_the_helper(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    capture(&t, &captured, CAPTURE_BYTES); // more than one packet: travels as a memfd
    for (int i = 0; i < 10; i++)
        assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    wait_answers(s, &seen, 10);
    assert_int_equal(seen.to_main, 10);
    assert_int_equal(seen.culprits, 10);
    assert_int_equal(stacker_restarts(s), 0);
    assert_true(stacker_rss_anon(s) > 0);
    stacker_close(s);
    stop_target(&t);
}

static void identity_through_the_helper(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    assert_int_equal(stacker_identify(s, t.pid, on_identity, &seen), 0);
    wait_answers(s, &seen, 1);
    assert_string_equal(seen.runtime, "epoll");
    stacker_close(s);
    stop_target(&t);
}

// kill -9 at any moment: every request is answered, later ones with a stack.
static void killed_at_any_moment(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    capture(&t, &captured, 16384);
    srand(7);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
        usleep((useconds_t)(rand() % 1500));
        pid_t pid = find_helper(getpid());
        if (pid > 0 && i % 3 != 2)
            kill(pid, SIGKILL);
        wait_answers(s, &seen, i + 1);
        // Left alone after several deaths in a row is an answer too; each third one gets through.
        if (seen.why_not[0] && strstr(seen.why_not, "left alone"))
            break;
    }
    assert_true(stacker_restarts(s) > 0);
    assert_true(seen.to_main > 0);
    stacker_close(s);
    stop_target(&t);
}

// Death loses the request at most: the next is answered in full.
static void death_costs_one_request(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    capture(&t, &captured, 16384);
    assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    wait_answers(s, &seen, 1);
    kill(helper_pid(), SIGKILL);
    usleep(20000);
    assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    wait_answers(s, &seen, 2);
    assert_int_equal(seen.to_main, 2);
    assert_int_equal(stacker_restarts(s), 1);
    stacker_close(s);
    stop_target(&t);
}

// A helper that hangs (here: is stopped) is replaced when the deadline has passed.
static void hangs(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    capture(&t, &captured, 16384);
    assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    wait_answers(s, &seen, 1);
    assert_true(stacker_deadline_ns(s) == INT64_MAX);
    kill(helper_pid(), SIGSTOP);
    assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    assert_true(stacker_deadline_ns(s) < now_ns() + 10000000000ll);
    wait_answers(s, &seen, 2);
    assert_int_equal(seen.to_main, 2); // by the next helper
    assert_int_equal(stacker_restarts(s), 1);
    stacker_close(s);
    stop_target(&t);
}

static void closing_answers_what_waits(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    capture(&t, &captured, 16384);
    for (int i = 0; i < 5; i++)
        assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    stacker_close(s);
    assert_int_equal(seen.answers, 5);
    assert_string_equal(seen.why_not, "loopscope is ending");
    stop_target(&t);
}

static void process_that_ended(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    capture(&t, &captured, 16384);
    stop_target(&t);
    // What was copied can still be named: the mappings were read at the start.
    assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    wait_answers(s, &seen, 1);
    stacker_remove_process(s, t.pid);
    assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), -ESRCH);
    stacker_close(s);
}

static void removed_with_requests_pending(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    capture(&t, &captured, 16384);
    for (int i = 0; i < 5; i++)
        assert_int_equal(stacker_stack(s, &captured.request, on_stack, &seen), 0);
    stacker_remove_process(s, t.pid);
    wait_answers(s, &seen, 5);
    stacker_close(s);
    stop_target(&t);
}

static void no_such_process(void **state)
{
    (void)state;
    struct stacker *s;
    struct error err;
    assert_int_equal(stacker_open(&s, NULL, &err), 0);
    assert_int_equal(stacker_add_process(s, 4194304 + 5, &err), -ENOENT);
    assert_int_equal(err.status, STATUS_NO_ATTACH);
    assert_non_null(strstr(err.text, "no such process"));
    stacker_close(s);
}

// Field of /proc/PID/status as text.
static void status_field(pid_t pid, const char *field, char *ret, size_t size)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    *ret = '\0';
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':')
            snprintf(ret, size, "%s", line + strlen(field) + strspn(line + strlen(field), ":\t "));
    if (f)
        fclose(f);
    ret[strcspn(ret, "\n")] = '\0';
}

static void has_no_privilege(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct stacker *s = open_with(&t);
    struct seen seen = {0};
    char text[256];
    assert_int_equal(stacker_identify(s, t.pid, on_identity, &seen), 0);
    wait_answers(s, &seen, 1);
    pid_t pid = helper_pid();
    status_field(pid, "CapPrm", text, sizeof(text));
    assert_string_equal(text, "0000000000000000");
    status_field(pid, "CapBnd", text, sizeof(text));
    if (geteuid() == 0)
        assert_string_equal(text, "0000000000000000");
    status_field(pid, "NoNewPrivs", text, sizeof(text));
    assert_string_equal(text, "1");
    status_field(pid, "Uid", text, sizeof(text));
    if (geteuid() == 0)
        assert_string_equal(text, "65534\t65534\t65534\t65534");
#ifndef __SANITIZE_ADDRESS__
    status_field(pid, "Seccomp", text, sizeof(text));
    assert_string_equal(text, "2");
#endif
    stacker_close(s);
    stop_target(&t);
}

static void leaves_nothing_behind(void **state)
{
    (void)state;
    struct stacker *s;
    struct error err;
    assert_int_equal(stacker_open(&s, NULL, &err), 0);
    pid_t pid = helper_pid();
    assert_true(pid > 0);
    stacker_close(s);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], STACK_HELPER_ARG))
        return stack_helper_main(STACK_HELPER_FD);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_through_the_helper),
        cmocka_unit_test(identity_through_the_helper),
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(death_costs_one_request),
        cmocka_unit_test(hangs),
        cmocka_unit_test(closing_answers_what_waits),
        cmocka_unit_test(process_that_ended),
        cmocka_unit_test(removed_with_requests_pending),
        cmocka_unit_test(no_such_process),
        cmocka_unit_test(has_no_privilege),
        cmocka_unit_test(leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("stacker", tests, NULL, NULL);
}
