// What walkers say to a process they cannot read: one line, and native frames only.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../agent/stack/lang.h"

#define BASE 0x10000000ull

// One page of memory in which every symbol asked for lies, at an address of its own.
struct fake {
    uint8_t page[MEM_PAGE];
    const char *names[64];
    int n;
    const char *only; // prefix of the symbols that exist
};

static bool fetch(void *arg, uint64_t address, void *buf, size_t n)
{
    struct fake *f = arg;
    if (address != BASE || n != MEM_PAGE)
        return false;
    memcpy(buf, f->page, n);
    return true;
}

static uint64_t symbol(void *arg, const char *module, const char *name)
{
    struct fake *f = arg;
    (void)module;
    if (strncmp(name, f->only, strlen(f->only)) != 0)
        return 0;
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->names[i], name))
            return BASE + 64 * (uint64_t)i;
    f->names[f->n++] = strdup(name);
    return BASE + 64 * (uint64_t)(f->n - 1);
}

static uint64_t section(void *arg, const char *module, const char *name, uint64_t *size)
{
    (void)arg, (void)module, (void)name;
    *size = 0;
    return 0;
}

static bool mapping(void *arg, uint64_t address, uint64_t *start, uint64_t *end, bool *exec,
                    const char **path)
{
    (void)arg, (void)address, (void)start, (void)end, (void)exec, (void)path;
    return false;
}

static uint64_t text(void *arg, const char *module, const char *text)
{
    (void)arg, (void)module, (void)text;
    return 0;
}

static int text_users(void *arg, const char *module, const char *const *texts, int ntexts,
                      struct code_range *ret, int max)
{
    (void)arg, (void)module, (void)texts, (void)ntexts, (void)ret, (void)max;
    return 0;
}

static void set32(struct fake *f, const char *name, uint32_t value)
{
    memcpy(f->page + (symbol(f, NULL, name) - BASE), &value, sizeof value);
}

static void *attach(struct fake *f, const char *lang, char *note)
{
    struct lang_process p = {1, f, symbol, section, mapping, text, text_users};
    struct mem *m = mem_new(fetch, f);
    char version[32] = "";
    void *self = NULL;
    mem_begin(m, 0, NULL, 0, 1000, INT64_MAX);
    for (const struct lang *const *l = all_langs; *l; l++)
        if (!strcmp((*l)->name, lang))
            self = (*l)->attach(&p, m, note, version);
    mem_free(m);
    for (int i = 0; i < f->n; i++)
        free((char *)f->names[i]);
    return self;
}

static void test_no_language(void **state)
{
    (void)state;
    char note[160] = "";
    struct fake f = {.only = "nothing"};
    assert_null(attach(&f, "V8", note));
    assert_null(attach(&f, "CPython", note));
    assert_string_equal(note, "");
}

static void test_unknown_python(void **state)
{
    (void)state;
    char note[160] = "";
    struct fake f = {.only = ""};
    symbol(&f, NULL, "_PyRuntime");
    set32(&f, "Py_Version", 0x03630000);
    assert_null(attach(&f, "CPython", note));
    assert_string_equal(note, "CPython 3.99 is not known: native frames only");
}

// A version that is known, but whose memory is not what it should be.
static void test_strange_python(void **state)
{
    (void)state;
    char note[160] = "";
    struct fake f = {.only = ""};
    memset(f.page, 0x55, sizeof f.page);
    symbol(&f, NULL, "_PyRuntime");
    set32(&f, "Py_Version", 0x030b0200);
    assert_null(attach(&f, "CPython", note));
    assert_string_equal(note, "CPython 3.11.2 does not look like 3.11 inside: native frames only");
}

static void test_unknown_v8(void **state)
{
    (void)state;
    char note[160] = "";
    struct fake f = {.only = "_ZN2v8"};
    set32(&f, "_ZN2v88internal7Version6major_E", 99);
    set32(&f, "_ZN2v88internal7Version6minor_E", 3);
    assert_null(attach(&f, "V8", note));
    assert_string_equal(note, "V8 99.3 is not known: native frames only");
}

static void test_v8_without_constants(void **state)
{
    (void)state;
    char note[160] = "";
    struct fake f = {.only = "_ZN2v88internal7Version"};
    set32(&f, "_ZN2v88internal7Version6major_E", 11);
    set32(&f, "_ZN2v88internal7Version6minor_E", 3);
    assert_null(attach(&f, "V8", note));
    assert_string_equal(note, "V8 11.3 without v8dbg constants: native frames only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_language),          cmocka_unit_test(test_unknown_python),
        cmocka_unit_test(test_strange_python),       cmocka_unit_test(test_unknown_v8),
        cmocka_unit_test(test_v8_without_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
