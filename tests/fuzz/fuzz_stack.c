// Bytes as everything that stacks are made from. The first one says which: registers and a stack (over the
// fuzzer's own code and memory), a helper's answer, mappings, a perf map.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../agent/stack/answer.h"
#include "../../agent/stack/inspector.h"
#include "../../agent/stack/maps.h"
#include "../../agent/stack/perf_map.h"

static struct inspector *inspector;

static int open_directly(void *arg, const struct file_wish *w)
{
    (void)arg;
    return open_file_wish(w);
}

static void start(void)
{
    struct opener opener = {open_directly, NULL};
    struct process_files files;
    struct writer w = {0};
    inspector = inspector_new(&opener);
    if (!inspector || open_process_files(getpid(), &files, NULL) < 0)
        abort();
    inspector_add(inspector, getpid(), &files);
    inspector_preload(inspector, getpid(), &w);
    writer_free(&w);
}

// The bytes are the stack; registers are its first words, or, where these are small, places in our code and
// on that stack.
static void as_stack(const uint8_t *data, size_t size)
{
    uint64_t words[24] = {0};
    struct stack_request r = {.pid = getpid(), .tid = getpid()};
    memcpy(words, data, size < sizeof(words) ? size : sizeof(words));
    r.stack = data;
    r.stack_len = size;
    r.stack_base = (uint64_t)(uintptr_t)words & ~15ull;
    memcpy(&r.regs, words, sizeof(r.regs));
    r.regs.sp = r.stack_base + (words[18] & 1023);
    r.regs.ip = words[17] >> 32 ? words[17] : (uint64_t)(uintptr_t)as_stack + words[17];
    r.regs.bp = words[16] >> 32 ? words[16] : r.stack_base + words[16];
    struct writer w = {0};
    struct stack_answer a;
    inspector_stack(inspector, &r, false, &w);
    struct reader in = {w.data, w.data + w.len, false};
    if (!get_stack(&in, &a))
        abort();
    stack_unref(a.stack);
    writer_free(&w);
}

static void as_answer(const uint8_t *data, size_t size)
{
    struct reader r = {data, data + size, false};
    struct stack_answer a;
    struct identity id;
    struct tasks_answer t;
    struct task_row *rows;
    struct frame *chains;
    get_stack(&r, &a);
    stack_unref(a.stack);
    r = (struct reader){data, data + size, false};
    get_identity(&r, &id);
    r = (struct reader){data, data + size, false};
    get_tasks(&r, &t, &rows, &chains);
    free(rows);
    free(chains);
}

static void as_maps(const uint8_t *data, size_t size)
{
    struct maps m;
    char *text = malloc(size + 1);
    if (!text)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (maps_parse(&m, text) < 0)
        return;
    for (int i = 0; i < m.n; i++)
        if (maps_find(&m, m.list[i].start) != &m.list[i])
            abort();
    maps_free(&m);
}

static void as_perf_map(const uint8_t *data, size_t size)
{
    char name[64];
    int fd = memfd_create("map", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    struct perf_map *m = perf_map_new(fd);
    perf_map_refresh(m);
    for (uint64_t a = 1; a; a <<= 1)
        perf_map_find(m, a, name, sizeof(name));
    perf_map_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(const uint8_t *, size_t) = {as_stack, as_answer, as_maps,
                                                             as_perf_map};
    if (!inspector)
        start();
    if (size > 1)
        kinds[data[0] % 4](data + 1, size - 1);
    return 0;
}
