// What is said: stack overflow with the task's name, and wrong use in debug mode with its place. Each in a child.
#include "lib_test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static char said[16384];

// Runs fn as main task in a child with debug mode on; its standard error is in `said`. The wait status.
static int in_child(ls_fn fn)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct ls_options debug = {.debug = LS_DEBUG_ON, .slow_ns = LS_MSEC(20)};
        signal(SIGSEGV, SIG_DFL); // cmocka has a handler
        dup2(ends[1], STDERR_FILENO);
        _exit((int)(ls_run_with(&debug, fn, NULL) & 63));
    }
    close(ends[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(ends[0], said + n, sizeof(said) - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_said(const char *text)
{
    if (!strstr(said, text))
        fail_msg("\"%s\" is not in: %s", text, said);
}

static int64_t nothing(void *arg)
{
    return (intptr_t)arg;
}

static int64_t forever(void *arg)
{
    (void)arg;
    return ls_sleep(LS_SEC(3600));
}

static __attribute__((noinline)) int recurse(int n)
{
    volatile char space[1024];
    space[0] = (char)n;
    return n > 1000000 ? 0 : recurse(n + 1) + space[0];
}

static int64_t too_deep(void *arg)
{
    (void)arg;
    return recurse(0);
}

static int64_t overflows(void *arg)
{
    (void)arg;
    ls_task t = ls_spawn(too_deep, NULL);
    ls_set_name(t, "digger");
    return ls_await(t);
}

static void stack_overflow_names_the_task(void **state)
{
    (void)state;
    int status = in_child(overflows);
#ifndef __SANITIZE_ADDRESS__ // it has its own report
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_said("stack overflow in task \"digger\"");
    assert_said("test_messages.c:");
#else
    assert_int_not_equal(status, 0);
#endif
}

static int64_t misuses(void *arg)
{
    (void)arg;
    ls_task t = ls_spawn(nothing, (void *)1);
    int64_t r = ls_await(t);
    r = ls_await(t); // twice
    t = ls_spawn(nothing, NULL);
    ls_yield();
    ls_cancel(t); // ended
    r += ls_await(t);
    t = ls_spawn(forever, NULL);                 // left alive
    ls_task forgotten = ls_spawn(nothing, NULL); // never awaited
    ls_yield();
    (void)forgotten;
    ls_chan *c;
    ls_chan_new(&c, 8, 1); // never freed
    usleep(30000);         // slow step
    ls_yield();
    return r < 0 ? 1 : 0;
}

static void wrong_use_is_told_with_its_place(void **state)
{
    (void)state;
    int status = in_child(misuses);
    assert_true(WIFEXITED(status));
    assert_said("was awaited at");
    assert_said("test_messages.c:");
    assert_said("ls_cancel: task \"nothing\" has ended");
    assert_said("task \"forever\" was still alive when \"main\" returned");
    assert_said("task \"nothing\" was never awaited");
    assert_said("held the loop for");
    assert_said("a channel was not freed");
}

// ---- from another thread: each call is refused, and told with its place

struct theirs {
    ls_task task;
    ls_group *group;
    ls_sem *sem;
    ls_mutex *mutex;
    ls_event *event;
    ls_cond *cond;
    ls_chan *chan;
    ls_stream *ends[2];
    int refused;
};

static void *meddle(void *arg)
{
    struct theirs *t = arg;
    uint64_t v = 1;
    ls_sem *made;
    int results[] = {
        ls_cancel(t->task),
        ls_set_name(t->task, "x"),
        ls_group_cancel(t->group),
        ls_sem_release(t->sem),
        ls_mutex_unlock(t->mutex),
        ls_event_set(t->event),
        ls_cond_signal(t->cond),
        ls_chan_send(t->chan, &v, 0),
        ls_chan_close(t->chan),
        (int)ls_write(t->ends[0], "x", 1, 0),
        ls_sem_free(t->sem),
        ls_stream_adopt(t->ends[0]),
        ls_shield_begin(),
        ls_sem_new(&made, 1),
        (int)ls_spawn(nothing, NULL).id,
    };
    ls_close(t->ends[0]);
    for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++)
        t->refused += results[i] == -EPERM;
    return NULL;
}

static int64_t lets_a_thread_meddle(void *arg)
{
    struct theirs t = {0};
    pthread_t thread;
    (void)arg;
    t.task = ls_spawn(forever, NULL);
    ls_group_open(&t.group, LS_FAIL_FAST, 0);
    ls_sem_new(&t.sem, 0);
    ls_mutex_new(&t.mutex);
    ls_event_new(&t.event);
    ls_cond_new(&t.cond);
    ls_chan_new(&t.chan, sizeof(uint64_t), 1);
    ls_stream_pair(t.ends);
    pthread_create(&thread, NULL, meddle, &t);
    pthread_join(thread, NULL);
    ls_cancel(t.task);
    int64_t r = ls_await(t.task) == -ECANCELED && ls_group_wait(t.group) == 0;
    ls_sem_free(t.sem);
    ls_mutex_free(t.mutex);
    ls_event_free(t.event);
    ls_cond_free(t.cond);
    ls_chan_free(t.chan);
    return r ? t.refused : 0;
}

static void calls_from_another_thread_are_told_with_their_place(void **state)
{
    static const char *const calls[] = {
        "ls_cancel:",       "ls_set_name:",  "ls_group_cancel:", "ls_sem_release:",
        "ls_mutex_unlock:", "ls_event_set:", "ls_cond_signal:",  "ls_chan_send:",
        "ls_chan_close:",   "ls_write:",     "ls_sem_free:",     "ls_stream_adopt:",
        "ls_shield_begin:", "ls_spawn:",     "ls_close:",        "semaphore: cannot be made",
    };
    (void)state;
    setenv("LOOPSCOPE_DEBUG", "1", 1); // a thread without a loop looks here
    int status = in_child(lets_a_thread_meddle);
    unsetenv("LOOPSCOPE_DEBUG");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 15);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        char line[128];
        snprintf(line, sizeof(line), "(meddle): %s", calls[i]);
        assert_said(line);
    }
    assert_null(strstr(said, "unknown place"));
}

static int64_t fails_detached(void *arg)
{
    (void)arg;
    int r = ls_spawn_detached("mailer", nothing, (void *)(intptr_t)-EPIPE);
    ls_sleep(LS_MSEC(1));
    return r;
}

static void unread_error_is_told(void **state)
{
    (void)state;
    assert_int_equal(in_child(fails_detached), 0);
    assert_said("task \"mailer\"");
    assert_said("Broken pipe");
}

static void not_in_a_task(void **state)
{
    (void)state;
    setenv("LOOPSCOPE_DEBUG", "0", 1);
    assert_int_equal(ls_yield(), -EPERM);
    unsetenv("LOOPSCOPE_DEBUG");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stack_overflow_names_the_task),
        cmocka_unit_test(wrong_use_is_told_with_its_place),
        cmocka_unit_test(calls_from_another_thread_are_told_with_their_place),
        cmocka_unit_test(unread_error_is_told),
        cmocka_unit_test(not_in_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
