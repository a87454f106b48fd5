// Lua 5.1's functions from a made-up memory: a state as lua_newstate leaves it, with a script's closure and a
// C function called; and from the same memory damaged at random.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../agent/stack/lang.h"

#define HEAP  0x10000000ull
#define STACK 0x7fff00000000ull
#define PAGES 2

enum { // in the heap
    STATE = 0x100,
    SLOTS = 0x400,
    CALLS = 0x800,
    CLOSURE = 0xa00,
    C_CLOSURE = 0xa40,
    PROTO = 0xb00,
    CODE = 0xc00,
    LINES = 0xd00,
    SOURCE = 0xe00,
};

struct image {
    uint8_t heap[PAGES * MEM_PAGE];
    uint64_t stack[64];
};

static bool fetch(void *arg, uint64_t address, void *buf, size_t n)
{
    const struct image *m = arg;
    if (address < HEAP || address + n > HEAP + sizeof m->heap)
        return false;
    memcpy(buf, m->heap + (address - HEAP), n);
    return true;
}

static void put64(struct image *m, int at, uint64_t value)
{
    memcpy(m->heap + at, &value, 8);
}

static void put32(struct image *m, int at, uint32_t value)
{
    memcpy(m->heap + at, &value, 4);
}

static void put_call(struct image *m, int depth, int slot, int closure, uint64_t savedpc)
{
    int call = CALLS + 40 * depth, value = SLOTS + 16 * slot;
    put64(m, call + 8, HEAP + (uint64_t)value);
    put64(m, call + 24, savedpc);
    put64(m, value, HEAP + (uint64_t)closure);
    put32(m, value + 8, 6);
}

static void put_state(struct image *m)
{
    m->heap[STATE + 8] = 8;
    put64(m, STATE + 40, HEAP + CALLS + 2 * 40);
    put64(m, STATE + 48, HEAP + CODE + 4 * 4);
    put64(m, STATE + 56, HEAP + SLOTS + (45 - 6) * 16);
    put64(m, STATE + 64, HEAP + SLOTS);
    put64(m, STATE + 72, HEAP + CALLS + 7 * 40);
    put64(m, STATE + 80, HEAP + CALLS);
    put32(m, STATE + 88, 45);
    put32(m, STATE + 92, 8);
}

static void put_function(struct image *m, const char *source)
{
    m->heap[CLOSURE + 8] = m->heap[C_CLOSURE + 8] = 6;
    m->heap[C_CLOSURE + 10] = 1;
    put64(m, CLOSURE + 32, HEAP + PROTO);
    m->heap[PROTO + 8] = 9;
    put64(m, PROTO + 24, HEAP + CODE);
    put64(m, PROTO + 40, HEAP + LINES);
    put64(m, PROTO + 64, HEAP + SOURCE);
    put32(m, PROTO + 80, 8);
    put32(m, PROTO + 84, 8);
    put32(m, PROTO + 96, 7);
    for (int i = 0; i < 8; i++)
        put32(m, LINES + 4 * i, 10 + (uint32_t)i);
    put64(m, SOURCE + 16, strlen(source));
    strcpy((char *)m->heap + SOURCE + 24, source);
}

static struct image *image_new(const char *source)
{
    struct image *m = calloc(1, sizeof *m);
    put_state(m);
    put_function(m, source);
    put_call(m, 1, 1, CLOSURE, HEAP + CODE + 4 * 3);   // called a function at instruction 2
    put_call(m, 2, 3, C_CLOSURE, HEAP + CODE + 4 * 4); // which is of C
    m->stack[3] = HEAP + STATE + 8;                    // looks like one, and is none
    m->stack[5] = HEAP + STATE;
    return m;
}

static uint64_t symbol(void *arg, const char *module, const char *name)
{
    (void)module;
    return !strcmp(name, "lua_cpcall") || (arg && !strcmp(name, "luaJIT_setmode"));
}

static const struct lang *lua_lang(void)
{
    for (const struct lang *const *l = all_langs; *l; l++)
        if (!strcmp((*l)->name, "Lua"))
            return *l;
    return NULL;
}

static void *attach(bool jit)
{
    char note[160] = "", version[32] = "";
    struct lang_process p = {.arg = jit ? "" : NULL, .symbol = symbol};
    return lua_lang()->attach(&p, NULL, note, version);
}

static const struct native_frame frames[] = {
    // of a stripped redis
    {.sp = STACK, .module = "redis", .activation = true},
    {.sp = STACK + 0x20, .module = "redis"},
    {.sp = STACK + 0x60, .module = "redis", .symbol = "lua_pcall"},
    {.sp = STACK + 0x80, .module = "redis", .symbol = "evalGenericCommand"},
};

static void walk(void *self, struct image *m, struct lang_result *ret)
{
    struct mem *mem = mem_new(fetch, m);
    mem_begin(mem, STACK, m->stack, sizeof m->stack, 1000, INT64_MAX);
    lua_lang()->walk(self, mem, 1, frames, 4, ret);
    mem_free(mem);
}

static void test_frames(void **state)
{
    (void)state;
    void *self = attach(false);
    struct image *m = image_new("@user_script");
    struct lang_result r;
    walk(self, m, &r);
    assert_int_equal(r.nframes, 1);
    assert_true(r.in_language);
    assert_int_equal(r.frames[0].at, 1);
    const struct frame *f = &r.frames[0].frame;
    assert_string_equal(f->function, "function <user_script:7>");
    assert_string_equal(f->file, "user_script");
    assert_int_equal(f->line, 12);
    assert_int_equal(f->kind, FRAME_LUA);
    assert_false(f->uncertain); // of a function that called another the place is exact
    put64(m, STATE + 40, HEAP + CALLS + 40);
    walk(self, m, &r); // it computes: the place is that of its last call
    assert_int_equal(r.nframes, 1);
    assert_int_equal(r.frames[0].frame.line, 13);
    assert_true(r.frames[0].frame.uncertain);
    lua_lang()->detach(self);
    free(m);
}

static void test_names(void **state)
{
    (void)state;
    void *self = attach(false);
    struct image *m = image_new("return 1\nor 2");
    struct lang_result r;
    put32(m, PROTO + 96, 0);
    walk(self, m, &r);
    assert_string_equal(r.frames[0].frame.function, "main chunk");
    assert_string_equal(r.frames[0].frame.file, "[string \"return 1\"]");
    lua_lang()->detach(self);
    free(m);
}

static void test_others(void **state)
{
    (void)state;
    assert_null(attach(true)); // LuaJIT
    void *self = attach(false);
    struct image *m = image_new("@a");
    struct lang_result r;
    put32(m, STATE + 88, 46); // the sizes do not fit together
    walk(self, m, &r);
    assert_int_equal(r.nframes, 0);
    assert_false(r.in_language);
    lua_lang()->detach(self);
    free(m);
}

static void test_damaged(void **state)
{
    (void)state;
    void *self = attach(false);
    struct image *whole = image_new("@user_script"), *m = malloc(sizeof *m);
    struct lang_result r;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        *m = *whole;
        for (int i = rand() % 6; i >= 0; i--) {
            int at = STATE + rand() % (SOURCE + 64 - STATE);
            if (rand() % 2)
                m->heap[at] = (uint8_t)rand();
            else
                put64(m, at & ~7, HEAP + (uint64_t)(rand() % (int)sizeof m->heap & ~7));
        }
        walk(self, m, &r);
        for (int i = 0; i < r.nframes; i++)
            assert_true(r.frames[i].frame.function && r.frames[i].frame.line >= 0);
    }
    lua_lang()->detach(self);
    free(whole);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
