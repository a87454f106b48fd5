// Unpacking what a stripped file brings along, and what is no such thing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "mini_debug.h"

static uint8_t *pack(const uint8_t *bytes, size_t n, size_t *size)
{
    size_t room = lzma_stream_buffer_bound(n);
    uint8_t *packed = malloc(room);
    *size = 0;
    assert_non_null(packed);
    assert_int_equal(
        lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, bytes, n, packed, size, room), LZMA_OK);
    return packed;
}

static void test_comes_out_as_it_went_in(void **state)
{
    (void)state;
    static uint8_t bytes[200000]; // packs to a tenth and less: the first guess is too small
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i / 977);
    size_t packed_size, size;
    uint8_t *packed = pack(bytes, sizeof(bytes), &packed_size);
    void *image;
    assert_true(packed_size * 8 < sizeof(bytes));
    assert_int_equal(mini_debug_unpack(packed, packed_size, &image, &size), 0);
    assert_int_equal(size, sizeof(bytes));
    assert_memory_equal(image, bytes, size);
    free(image);
    free(packed);
}

static void test_damaged_or_cut(void **state)
{
    (void)state;
    static uint8_t bytes[5000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * i >> 3);
    size_t packed_size, size;
    uint8_t *packed = pack(bytes, sizeof(bytes), &packed_size);
    void *image;
    for (size_t n = 0; n < packed_size; n += 7)
        assert_true(mini_debug_unpack(packed, n, &image, &size) < 0);
    packed[packed_size / 2] ^= 0x55;
    assert_true(mini_debug_unpack(packed, packed_size, &image, &size) < 0);
    assert_true(mini_debug_unpack("no such thing", 13, &image, &size) < 0);
    free(packed);
}

static void test_bomb(void **state)
{
    (void)state;
    size_t n = 80u << 20, packed_size, size;
    uint8_t *bytes = calloc(1, n);
    assert_non_null(bytes);
    uint8_t *packed = pack(bytes, n, &packed_size);
    void *image;
    assert_int_equal(mini_debug_unpack(packed, packed_size, &image, &size), -E2BIG);
    free(packed);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_out_as_it_went_in),
        cmocka_unit_test(test_damaged_or_cut),
        cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
