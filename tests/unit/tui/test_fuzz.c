// Random keys, clicks, sizes and pictures: nothing may crash, and what is drawn is always fit to show.
// FUZZ_SECONDS (default 1) and FUZZ_SEED choose how long and which.
#include <stdlib.h>
#include <time.h>

#include "screen.h"

static uint64_t seed;

static unsigned next(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % n);
}

static struct snap *any_picture(void)
{
    switch (next(8)) {
    case 0: return fixture_quiet();
    case 1: return fixture_empty();
    case 2: return fixture_hostile();
    default: return fixture_rich((int)next(60));
    }
}

static int any_key(void)
{
    switch (next(4)) {
    case 0: return K_SPECIAL + 1 + (int)next(K_WHEEL_DOWN - K_SPECIAL);
    case 1: return (int)next(0x110000);
    default: return (int)next(128);
    }
}

static void feed(struct ui *ui)
{
    struct snap *s = any_picture();
    s->recorded = next(10) == 0;
    s->version = seed;
    s->now_ns += (int64_t)next(1000) * 1000000000LL;
    ui_snapshot(ui, s);
    snap_unref(s);
}

static void check_cells(const struct canvas *c)
{
    for (int y = 0; y < c->rows; y++) {
        for (int x = 0; x < c->cols; x++) {
            const struct cell *cell = canvas_at(c, y, x);
            assert_true(cell->ch >= 0x20 && cell->ch != 0x7f &&
                        (cell->ch < 0x80 || cell->ch >= 0xa0));
            assert_true(!c->ascii || cell->ch < 0x80);
            if (cell->width == 2)
                assert_true(x + 1 < c->cols && cell[1].width == 0);
            if (cell->width == 0)
                assert_true(x > 0 && cell[-1].width == 2);
        }
    }
}

static void draw(struct ui *ui, struct canvas *c)
{
    canvas_resize(c, ui->rows, ui->cols);
    c->ascii = ui->ascii;
    ui_prepare(ui);
    frame_draw(ui, c);
    check_cells(c);
}

static void one_step(struct ui *ui, struct canvas *c)
{
    switch (next(12)) {
    case 0: ui_resize(ui, 1 + (int)next(100), 1 + (int)next(300)); break;
    case 1:
    case 2: feed(ui); break;
    case 3:
        ui_click(ui, canvas_hit(c, (int)next((unsigned)c->rows), (int)next((unsigned)c->cols)));
        break;
    case 4: draw(ui, c); break;
    default: ui_key(ui, any_key());
    }
    ui->recording = next(20) == 0;
    ui->requests = 0;
    struct wishes w = {0};
    ui_wishes(ui, 0, &w);
}

static void random_use_does_no_harm(void **state)
{
    (void)state;
    const char *seconds = getenv("FUZZ_SECONDS"), *start = getenv("FUZZ_SEED");
    time_t end = time(NULL) + (seconds ? atoi(seconds) : 1);
    uint64_t first = start ? strtoull(start, NULL, 0) : 0x9e3779b97f4a7c15ULL;
    long steps = 0;
    seed = first;
    do {
        struct ui ui;
        ui_init(&ui);
        struct canvas *c = canvas_new(30, 100, false);
        for (int i = 0; i < 2000; i++, steps++)
            one_step(&ui, c);
        canvas_free(c);
        ui_finish(&ui);
    } while (time(NULL) < end);
    print_message("%ld steps from seed %#llx\n", steps, (unsigned long long)first);
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_use_does_no_harm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
