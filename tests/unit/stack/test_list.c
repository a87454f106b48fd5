// Growing lists, and where an ordered one divides.
#include "../../../agent/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct item {
    uint64_t number;
    char text[24];
};

static void test_items_stay_as_it_grows(void **state)
{
    (void)state;
    struct item *items = NULL;
    int n = 0, capacity = 0;
    for (; n < 1000; n++) {
        assert_true(list_room(items, n, capacity));
        assert_true(n < capacity);
        items[n] = (struct item){.number = (uint64_t)n * 3};
    }
    for (int i = 0; i < n; i++)
        assert_int_equal(items[i].number, i * 3);
    assert_true(capacity < 2 * n + LIST_FIRST);
    free(items);
}

static void test_no_memory_leaves_it_alone(void **state)
{
    (void)state;
    uint64_t *items = NULL;
    volatile size_t n = 0, capacity = 0; // else the compiler sees through it
    assert_true(list_room(items, n, capacity));
    items[n++] = 7;
    uint64_t *before = items;
    n = capacity = SIZE_MAX / 16; // doubled, more bytes than there are
    assert_false(list_room(items, n, capacity));
    assert_ptr_equal(items, before);
    assert_int_equal(capacity, SIZE_MAX / 16);
    assert_int_equal(items[0], 7);
    free(items);
}

static void test_divides_an_ordered_list(void **state)
{
    (void)state;
    const uint64_t list[] = {2, 4, 4, 4, 9};
    struct {
        uint64_t key;
        size_t below, up_to;
    } const cases[] = {{0, 0, 0}, {2, 0, 1}, {3, 1, 1}, {4, 1, 4}, {9, 4, 5}, {UINT64_MAX, 5, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t key = cases[i].key;
        assert_int_equal(list_divide(list, 5, x, *x < key), cases[i].below);
        assert_int_equal(list_divide(list, 5, x, *x <= key), cases[i].up_to);
    }
    assert_int_equal(list_divide(list, 0, x, *x < 5), 0);
}

static void test_orders_by_the_number_an_item_begins_with(void **state)
{
    (void)state;
    struct item items[] = {{5, "c"}, {UINT64_MAX, "d"}, {0, "a"}, {3, "b"}};
    qsort(items, 4, sizeof *items, list_by_number);
    for (int i = 0; i < 4; i++)
        assert_int_equal(items[i].text[0], 'a' + i);
    const struct item key = {.number = 3};
    const struct item *found = bsearch(&key, items, 4, sizeof *items, list_by_number);
    assert_ptr_equal(found, &items[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_stay_as_it_grows),
        cmocka_unit_test(test_no_memory_leaves_it_alone),
        cmocka_unit_test(test_divides_an_ordered_list),
        cmocka_unit_test(test_orders_by_the_number_an_item_begins_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
