// The page cache: shadowing by the stack copy, bounds, batches, the second look.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../../agent/stack/mem.h"

#define BASE  0x10000000ull
#define PAGES 64

struct fake { // memory whose bytes are their page's number, with a hole
    uint8_t version;
    uint64_t hole; // page index that cannot be read; PAGES none
    int fetches;
    uint64_t fetched;
};

static bool fetch(void *arg, uint64_t address, void *buf, size_t n)
{
    struct fake *f = arg;
    f->fetches++;
    assert_int_equal(address % MEM_PAGE, 0);
    assert_int_equal(n % MEM_PAGE, 0);
    for (size_t at = 0; at < n; at += MEM_PAGE) {
        uint64_t page = (address + at - BASE) / MEM_PAGE;
        if (address < BASE || page >= PAGES || page == f->hole)
            return false;
        memset((uint8_t *)buf + at, (int)(page + f->version), MEM_PAGE);
    }
    f->fetched += n / MEM_PAGE;
    return true;
}

static int64_t in_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec + ms * 1000000;
}

static void test_copy_shadows_live(void **state)
{
    (void)state;
    struct fake f = {.hole = PAGES};
    struct mem *m = mem_new(fetch, &f);
    uint8_t copy[100], buf[200];
    memset(copy, 0xaa, sizeof copy);
    mem_begin(m, BASE + 2 * MEM_PAGE + 50, copy, sizeof copy, 100, in_ms(1000));
    assert_true(mem_read(m, BASE + 2 * MEM_PAGE, buf, sizeof buf));
    for (int i = 0; i < 200; i++)
        assert_int_equal(buf[i], i >= 50 && i < 150 ? 0xaa : 2);
    assert_true(mem_went_live(m)); // the part above the copy
    mem_begin(m, BASE + 2 * MEM_PAGE + 50, copy, sizeof copy, 100, in_ms(1000));
    assert_true(mem_read(m, BASE + 2 * MEM_PAGE + 50, buf, 100));
    assert_false(mem_went_live(m));
    assert_int_equal(mem_pages(m), 0);
    mem_free(m);
}

static void test_page_is_read_once(void **state)
{
    (void)state;
    struct fake f = {.hole = 5};
    struct mem *m = mem_new(fetch, &f);
    uint64_t v;
    mem_begin(m, 0, NULL, 0, 100, in_ms(1000));
    for (int i = 0; i < 100; i++)
        assert_true(mem_u64(m, BASE + 8 * (uint64_t)i, &v));
    assert_int_equal(f.fetches, 1);
    for (int i = 0; i < 10; i++)
        assert_false(mem_u64(m, BASE + 5 * MEM_PAGE, &v));
    assert_int_equal(f.fetches, 2); // what cannot be read is remembered too
    f.version = 7;
    assert_true(mem_u64(m, BASE, &v));
    assert_int_equal(v, 0);
    assert_true(mem_fresh(m, BASE, &v, 8));
    assert_int_equal(v & 0xff, 7);
    mem_forget(m);
    assert_true(mem_u64(m, BASE, &v));
    assert_int_equal(v & 0xff, 7);
    mem_free(m);
}

static void test_read_across_pages(void **state)
{
    (void)state;
    struct fake f = {.hole = 3};
    struct mem *m = mem_new(fetch, &f);
    uint8_t buf[16];
    mem_begin(m, 0, NULL, 0, 100, in_ms(1000));
    assert_true(mem_read(m, BASE + MEM_PAGE - 8, buf, 16));
    assert_int_equal(buf[7], 0);
    assert_int_equal(buf[8], 1);
    assert_false(mem_read(m, BASE + 3 * MEM_PAGE - 8, buf, 16)); // runs into the hole
    mem_free(m);
}

static void test_prefetch_batches(void **state)
{
    (void)state;
    struct fake f = {.hole = 20};
    struct mem *m = mem_new(fetch, &f);
    uint64_t addresses[24], v;
    for (int i = 0; i < 24; i++) // backwards: order does not matter
        addresses[i] = BASE + (uint64_t)(23 - i) * MEM_PAGE;
    mem_begin(m, 0, NULL, 0, 100, in_ms(1000));
    mem_prefetch(m, addresses, 16, 8); // pages 8 to 23, with the hole
    int before = f.fetches;
    for (int i = 8; i < 24; i++)
        assert_int_equal(mem_u64(m, BASE + (uint64_t)i * MEM_PAGE, &v), i != 20);
    assert_int_equal(f.fetches, before);
    mem_begin(m, 0, NULL, 0, 100, in_ms(1000));
    f.fetches = 0;
    mem_prefetch(m, addresses + 16, 8, 8); // pages 0 to 7
    assert_int_equal(f.fetches, 1);
    mem_free(m);
}

// The second look: the same pages in the same batches, and what has gone meanwhile is not there any more.
static void test_refresh(void **state)
{
    (void)state;
    struct fake f = {.hole = PAGES};
    struct mem *m = mem_new(fetch, &f);
    uint64_t first[] = {BASE, BASE + 2 * MEM_PAGE}, v;
    uint8_t byte;
    mem_begin(m, 0, NULL, 0, 100, in_ms(1000));
    mem_prefetch(m, first, 2, 2 * MEM_PAGE);
    assert_true(mem_u8(m, BASE + 40 * MEM_PAGE, &byte));
    assert_int_equal(f.fetches, 2);
    f.version = 7;
    assert_true(mem_u8(m, BASE + MEM_PAGE, &byte));
    assert_int_equal(byte, 1);
    mem_refresh(m);
    assert_int_equal(f.fetches, 4);
    assert_int_equal(mem_pages(m), 10);
    for (int i = 0; i < 4; i++) {
        assert_true(mem_u8(m, BASE + (uint64_t)i * MEM_PAGE, &byte));
        assert_int_equal(byte, i + 7);
    }
    f.hole = 2;
    f.version = 9;
    mem_refresh(m);
    assert_false(mem_u64(m, BASE + 2 * MEM_PAGE, &v));
    assert_true(mem_u8(m, BASE + 3 * MEM_PAGE, &byte));
    assert_int_equal(byte, 12);
    mem_begin(m, 0, NULL, 0, 6, in_ms(1000));
    mem_prefetch(m, first, 2, 2 * MEM_PAGE);
    mem_refresh(m); // above the budget
    assert_true(mem_spent(m));
    assert_false(mem_u8(m, BASE, &byte));
    mem_free(m);
}

static void test_budget_ends(void **state)
{
    (void)state;
    struct fake f = {.hole = PAGES};
    struct mem *m = mem_new(fetch, &f);
    uint64_t v;
    mem_begin(m, 0, NULL, 0, 4, in_ms(1000));
    for (int i = 0; i < 4; i++)
        assert_true(mem_u64(m, BASE + (uint64_t)i * MEM_PAGE, &v));
    assert_false(mem_spent(m));
    assert_false(mem_u64(m, BASE + 5 * MEM_PAGE, &v));
    assert_true(mem_spent(m));
    assert_int_equal(f.fetched, 4);
    mem_free(m);
}

// A walk round a circle of cached pages fetches nothing, and ends all the same.
static void test_deadline_ends_cached_walks(void **state)
{
    (void)state;
    struct fake f = {.hole = PAGES};
    struct mem *m = mem_new(fetch, &f);
    uint64_t v;
    long reads = 0;
    mem_begin(m, 0, NULL, 0, 4, in_ms(30));
    while (mem_u64(m, BASE, &v) && reads < 1000000000)
        reads++;
    assert_true(mem_spent(m));
    assert_true(reads < 1000000000);
    mem_free(m);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    struct fake f = {.hole = PAGES};
    struct mem *m = mem_new(fetch, &f);
    uint8_t buf[8];
    uint64_t v = 42, wild[] = {0, ~0ull, 1ull << 63, (1ull << 47) - 4};
    mem_begin(m, 0, NULL, 0, 100, in_ms(1000));
    assert_false(mem_u64(m, 0, &v));
    assert_false(mem_u64(m, ~0ull - 3, &v));
    assert_false(mem_u64(m, (1ull << 47) - 4, &v));
    assert_false(mem_read(m, BASE, buf, (size_t)-1));
    assert_int_equal(v, 42);
    mem_prefetch(m, wild, 4, 64);
    assert_int_equal(f.fetches, 0);
    mem_free(m);
}

static void test_string(void **state)
{
    (void)state;
    struct fake f = {.hole = 2};
    struct mem *m = mem_new(fetch, &f);
    char buf[MEM_PAGE];
    mem_begin(m, 0, NULL, 0, 100, in_ms(1000));
    assert_true(mem_string(m, BASE + 5, buf, sizeof buf)); // page 0 is zeros: the empty string
    assert_string_equal(buf, "");
    assert_true(mem_string(m, BASE + 2 * MEM_PAGE - 10, buf, sizeof buf)); // cut at the hole
    assert_int_equal(strlen(buf), 10);
    assert_true(mem_string(m, BASE + MEM_PAGE, buf, 8));
    assert_int_equal(strlen(buf), 7);
    assert_false(mem_string(m, BASE + 2 * MEM_PAGE, buf, 8));
    mem_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_shadows_live),
        cmocka_unit_test(test_page_is_read_once),
        cmocka_unit_test(test_read_across_pages),
        cmocka_unit_test(test_prefetch_batches),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_budget_ends),
        cmocka_unit_test(test_deadline_ends_cached_walks),
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
