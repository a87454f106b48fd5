// Functions found by the texts they use, in this program itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "text_users.h"

#define ALONE  "a text that one function alone has"
#define SHARED "a text that two functions have"

__attribute__((noinline)) static const char *uses_alone(void)
{
    __asm__ volatile("");
    return ALONE;
}

__attribute__((noinline)) static const char *uses_shared(int i)
{
    __asm__ volatile("");
    return i ? SHARED : ALONE " and more";
}

__attribute__((noinline)) static const char *uses_shared_too(void)
{
    __asm__ volatile("");
    return SHARED;
}

static int own_base(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(uint64_t *)arg = info->dlpi_addr;
    return 1; // the program comes first
}

static bool holds(const struct code_range *ranges, int n, const char *(*function)(void))
{
    uint64_t base = 0;
    dl_iterate_phdr(own_base, &base);
    for (int i = 0; i < n; i++)
        if (ranges[i].start == (uint64_t)function - base && ranges[i].end > ranges[i].start)
            return true;
    return false;
}

static struct module *own(void)
{
    struct module *m = NULL;
    assert_int_equal(
        module_open(&m, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "/proc/self/exe"), 0);
    return m;
}

static void test_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {ALONE};
    struct code_range r[8];
    struct module *m = own();
    assert_string_equal(uses_alone(), ALONE);
    int n = module_text_users(m, texts, 1, r, 8);
    assert_true(n >= 1);
    assert_true(holds(r, n, uses_alone));
    assert_false(holds(r, n, uses_shared_too));
    module_unref(m);
}

static void test_two_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {SHARED, &"a text that is in no file"[1]};
    struct code_range r[8];
    struct module *m = own();
    assert_string_equal(uses_shared(1), uses_shared_too());
    int n = module_text_users(m, texts, 2, r, 8);
    assert_true(n >= 2);
    assert_true(holds(r, n, uses_shared_too));
    assert_false(holds(r, n, uses_alone));
    assert_int_equal(module_text_users(m, texts, 2, r, 1), 1); // never more than asked for
    module_unref(m);
}

// Neither a part of a longer text nor what is in no file.
static void test_not_whole(void **state)
{
    (void)state;
    char text[80];
    const char *texts[] = {text};
    snprintf(text, sizeof text, "%s", ALONE " and more");
    text[strlen(text) - 1] = 0;
    struct code_range r[8];
    struct module *m = own();
    assert_int_equal(module_text(m, text), 0);
    assert_int_equal(module_text(m, &(ALONE " and more")[7]), 0);
    assert_true(module_text(m, ALONE " and more") != 0);
    assert_int_equal(module_text_users(m, texts, 1, r, 8), 0);
    module_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_two_texts),
        cmocka_unit_test(test_not_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
