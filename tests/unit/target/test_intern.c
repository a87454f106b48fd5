// One struct for a stack as long as anybody holds it; what nobody holds does not pile up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "agent/target/intern.h"

#define MANY 5000
#define HELD 100
#define FEW  (2 * HELD + 64 + 1) // at most, see intern.c

static struct stack *numbered(int i)
{
    char name[32];
    snprintf(name, sizeof(name), "function_%d", i);
    struct frame f = {.function = name, .line = i};
    struct stack *s = stack_new(&f, 1, 0, false, true);
    assert_non_null(s);
    return s;
}

static struct stack *intern(struct model *m, int i)
{
    struct stack *s = numbered(i), *kept = stack_ref(stack_intern(m, s));
    stack_unref(s);
    return kept;
}

static void what_is_held_stays_the_same(void **state)
{
    (void)state;
    struct model m = {0};
    struct stack *held[HELD];
    for (int i = 0; i < HELD; i++)
        held[i] = intern(&m, i);
    for (int i = HELD; i < MANY; i++) {
        stack_unref(intern(&m, i));
        assert_in_range(stacks_interned(&m), 1, FEW);
    }
    for (int i = 0; i < HELD; i++) {
        struct stack *again = intern(&m, i);
        assert_ptr_equal(again, held[i]);
        stack_unref(again);
        stack_unref(held[i]);
    }
    for (int i = 0; i < MANY; i++) // and little is kept when nothing is held any more
        stack_unref(intern(&m, i));
    assert_in_range(stacks_interned(&m), 1, 130);
    stack_intern_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_stays_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
