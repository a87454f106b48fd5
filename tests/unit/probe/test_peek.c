// A look at a thread that computes and computes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/probe/probe.h"

#define MARK 0x6c6f6f7073636f70u

static int start_spinning(void)
{
    int pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    volatile uint64_t mark[8] = {MARK, MARK, MARK, MARK, MARK, MARK, MARK, MARK};
    for (;;)
        mark[7] = mark[0];
}

static bool holds_mark(const struct probe_sample *s)
{
    static const uint64_t mark = MARK;
    for (size_t i = 0; i + sizeof(mark) <= s->stack_len; i += sizeof(mark))
        if (memcmp(s->stack + i, &mark, sizeof(mark)) == 0)
            return true;
    return false;
}

// The registers come at a later call; what is read is the thread's own stack.
static void look(enum backend backend)
{
    static const struct probe_callbacks none;
    struct probe_config config = {.backend = backend, .threshold_ns = 100000000};
    struct probe_sample s = {0};
    struct probe *p;
    struct error err = {0};
    if (probe_open(&p, &config, &none, NULL, &err) < 0)
        skip();
    int pid = start_spinning();
    assert_int_equal(probe_add_process(p, pid, &err), 0);
    for (int i = 0; i < 500 && !s.has_regs; i++) {
        usleep(10000);
        assert_int_equal(probe_peek(p, pid, &s), 0);
    }
    if (s.has_regs) {
        assert_true(s.on_cpu || s.state == 'R'); // or preempted: then its registers are known
        assert_true(holds_mark(&s));
    }
    bool seen = s.has_regs;
    probe_close(p);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(seen);
}

static void test_bpf(void **state)
{
    (void)state;
    look(BACKEND_BPF);
}

static void test_proc(void **state)
{
    (void)state;
    look(BACKEND_PROC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpf),
        cmocka_unit_test(test_proc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
