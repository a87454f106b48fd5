// Functions' places in a file: those of this very program against where the loader has put them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../agent/probe/elf_functions.h"

int found_by_name(int x);
__attribute__((noinline, used)) int found_by_name(int x)
{
    return x + 1;
}

// What maps the code of `address` begins in the file where?
static uint64_t offset_in_file(uint64_t address)
{
    char line[512];
    FILE *f = fopen("/proc/self/maps", "r");
    assert_non_null(f);
    uint64_t ret = 0;
    while (!ret && fgets(line, sizeof(line), f)) {
        unsigned long long from, to, offset;
        if (sscanf(line, "%llx-%llx %*s %llx", &from, &to, &offset) == 3 && address >= from &&
            address < to)
            ret = address - from + offset;
    }
    fclose(f);
    return ret;
}

static void test_a_function_is_where_it_is_mapped_from(void **state)
{
    (void)state;
    const char *names[] = {"found_by_name", "found_by_nobody"};
    uint64_t offsets[2] = {7, 7};
    assert_int_equal(elf_functions("/proc/self/exe", names, 2, offsets), 1);
    assert_int_equal(offsets[0], offset_in_file((uint64_t)(uintptr_t)found_by_name));
    assert_int_equal(offsets[1], 0);
}

static void test_what_is_no_program_has_none(void **state)
{
    (void)state;
    const char *names[] = {"main"};
    uint64_t offset;
    assert_int_equal(elf_functions("/proc/self/maps", names, 1, &offset), 0);
    assert_true(elf_functions("/nowhere", names, 1, &offset) < 0);
}

// A file cut anywhere is refused or searched as far as it goes.
static void test_a_cut_file_is_survived(void **state)
{
    (void)state;
    static char bytes[1 << 20];
    const char *names[] = {"found_by_name"};
    uint64_t offset;
    char path[] = "/tmp/elf_functionsXXXXXX";
    FILE *self = fopen("/proc/self/exe", "r");
    size_t size = fread(bytes, 1, sizeof(bytes), self);
    fclose(self);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && size > 1000);
    for (size_t n = 0; n < size; n += size / 97) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, bytes, n, 0), n);
        assert_in_range(elf_functions(path, names, 1, &offset), 0, 1);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_function_is_where_it_is_mapped_from),
        cmocka_unit_test(test_what_is_no_program_has_none),
        cmocka_unit_test(test_a_cut_file_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
