// Whatever a target holds, the inspector ends in time and answers: random registers and stacks, memory that
// lies, ELF files with flipped bytes. Seeds are printed; LOOPSCOPE_GARBAGE_ROUNDS makes it longer.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "answer.h"
#include "inspector.h"
#include "lines.h"
#include "target.h"

static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int rounds(int usual)
{
    const char *more = getenv("LOOPSCOPE_GARBAGE_ROUNDS");
    return more ? atoi(more) : usual;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int open_directly(void *arg, const struct file_wish *w)
{
    (void)arg;
    return open_file_wish(w);
}

static struct capture captured;

static struct inspector *inspector_of(const struct target_process *t)
{
    struct opener opener = {open_directly, NULL};
    struct inspector *i = inspector_new(&opener);
    struct process_files files;
    assert_int_equal(open_process_files(t->pid, &files, NULL), 0);
    assert_int_equal(inspector_add(i, t->pid, &files), 0);
    return i;
}

// The answer can always be read.
static bool ask(struct inspector *i, const struct stack_request *r)
{
    struct writer w = {0};
    struct stack_answer a;
    double begin = now_ms();
    inspector_stack(i, r, false, &w);
    assert_true(now_ms() - begin < 2000);
    struct reader in = {w.data, w.data + w.len, false};
    assert_true(get_stack(&in, &a));
    bool to_main = a.stack && a.stack->to_main;
    stack_unref(a.stack);
    writer_free(&w);
    return to_main;
}

// A value that is likely to lead somewhere: code, stack, heap, small, or anything.
static uint64_t interesting(const struct stack_request *real)
{
    uint64_t r = next_random();
    switch (next_random() % 6) {
    case 0: return real->regs.ip + r % 65536 - 32768;
    case 1: return real->regs.sp + r % 65536;
    case 2: return real->regs.sp + (r % 1024 & ~7ull);
    case 3: return r % 4096;
    case 4: return ((const uint64_t *)real->stack)[r % (real->stack_len / 8)];
    default: return r;
    }
}

static void random_registers_and_stacks(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct inspector *i = inspector_of(&t);
    static uint64_t stack[2048];
    capture(&t, &captured, sizeof(stack));
    assert_true(ask(i, &captured.request));
    for (int n = rounds(3000); n > 0; n--) {
        struct stack_request r = captured.request;
        memcpy(stack, captured.stack, r.stack_len);
        r.stack = (const uint8_t *)stack;
        for (size_t k = next_random() % 64; k > 0; k--)
            stack[next_random() % (r.stack_len / 8)] = interesting(&captured.request);
        unsigned long long *regs = (unsigned long long *)&r.regs;
        for (size_t k = next_random() % 6; k > 0; k--)
            regs[next_random() % (sizeof(r.regs) / 8)] = interesting(&captured.request);
        if (next_random() % 8 == 0)
            r.stack_len = next_random() % r.stack_len;
        ask(i, &r);
    }
    assert_true(ask(i, &captured.request)); // and nothing was upset
    inspector_free(i);
    stop_target(&t);
}

static void *read_file(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    *size = (size_t)st.st_size;
    void *bytes = malloc(*size);
    assert_int_equal(read(fd, bytes, *size), *size);
    close(fd);
    return bytes;
}

// Everything that is read out of an ELF file, at many addresses.
static void use_module(struct module *m)
{
    struct symbol s;
    struct source_line lines[LINES_INLINES];
    uint64_t size;
    module_load_cfi(m);
    for (int i = 0; i < 40; i++) {
        const struct segment *g = &m->segments[next_random() % MODULE_SEGMENTS];
        uint64_t address = g->address + next_random() % (g->memory_size + 1);
        module_symbol_at(m, address, &s);
        lines_at(m, address, lines);
        Dwarf_Frame *frame;
        if (m->eh_frame && dwarf_cfi_addrframe(m->eh_frame, address, &frame) == 0)
            free(frame);
    }
    module_symbol_named(m, "main", &s);
    module_section(m, ".text", &size);
    module_needs(m, "libuv");
}

static void spoil(uint8_t *bytes, size_t size)
{
    for (size_t k = 1 + next_random() % 64; k > 0; k--) {
        // Headers and the tables at the end matter most.
        size_t at = next_random() % 3 == 0 ? next_random() % 1024 : next_random() % size;
        bytes[at] = (uint8_t)next_random();
    }
}

// libdw itself dies on some of these (that is why there is a helper): so in a child, whose death is
// counted, and which must not hang.
static void spoilt_elf_files(void **state)
{
    (void)state;
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    size_t size;
    int deaths = 0, total = rounds(300);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    strcpy(slash + 1, "fixture_names");
    uint8_t *good = read_file(self, &size);
    for (int round = 0; round < total; round++) {
        next_random();
        pid_t pid = fork();
        if (pid == 0) {
            struct module *m;
            uint8_t *bytes = malloc(size);
            alarm(20);
            memcpy(bytes, good, size);
            if (round > 0)
                spoil(bytes, size);
            if (module_from_image(&m, bytes, size, "spoilt") == 0) {
                use_module(m);
                module_unref(m);
            }
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_false(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
        assert_true(round > 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
        deaths += WIFSIGNALED(status);
    }
    free(good);
    print_message("%d of %d spoilt files killed their reader\n", deaths, total);
    assert_true(deaths * 10 < total);
}

// An answer from a helper that was taken over: any bytes at all.
static void random_answers(void **state)
{
    (void)state;
    struct target_process t = start_fixture("fixture_frames", "plain");
    struct inspector *i = inspector_of(&t);
    struct writer w = {0};
    capture(&t, &captured, 16384);
    inspector_stack(i, &captured.request, false, &w);
    uint8_t *bytes = malloc(w.len);
    for (int n = rounds(20000); n > 0; n--) {
        struct stack_answer a;
        struct identity id;
        struct tasks_answer tasks;
        struct task_row *rows;
        struct frame *chains;
        memcpy(bytes, w.data, w.len);
        for (size_t k = 1 + next_random() % 16; k > 0; k--)
            bytes[next_random() % (next_random() % 2 ? 200 : w.len)] = (uint8_t)next_random();
        struct reader r = {bytes, bytes + next_random() % (w.len + 1), false};
        get_stack(&r, &a);
        stack_unref(a.stack);
        r = (struct reader){bytes, bytes + w.len, false};
        get_identity(&r, &id);
        r = (struct reader){bytes, bytes + w.len, false};
        get_tasks(&r, &tasks, &rows, &chains);
        free(rows);
        free(chains);
    }
    free(bytes);
    writer_free(&w);
    inspector_free(i);
    stop_target(&t);
}

int main(void)
{
    const char *given = getenv("LOOPSCOPE_SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    print_message("LOOPSCOPE_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_registers_and_stacks),
        cmocka_unit_test(spoilt_elf_files),
        cmocka_unit_test(random_answers),
    };
    return cmocka_run_group_tests_name("garbage", tests, NULL, NULL);
}
