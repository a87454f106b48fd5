// The small formats: CPython's line tables, V8's integers and builtin names.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "interpreters.h"

#include "../../../agent/stack/cpython.h"
#include "../../../agent/stack/v8.h"

// Python prints one of its own functions: version, first line, table in hex, then offset:line for
// each instruction as its own co_lines says (0: none).
static const char account[] =
    "import sys,dis,json.decoder as d\n"
    "c=d.JSONDecoder.raw_decode.__code__ if len(sys.argv)<2 else d.py_scanstring.__code__\n"
    "t=c.co_linetable if sys.version_info>=(3,10) else c.co_lnotab\n"
    "print(sys.version_info[1],c.co_firstlineno,t.hex(),end=' ')\n"
    "if sys.version_info>=(3,10): print(*('%d:%d'%(o,l or 0) for a,e,l in c.co_lines() for o in "
    "range(a,e,2)))\n"
    "else:\n"
    "    s=dict(dis.findlinestarts(c));l=0\n"
    "    for o in range(0,len(c.co_code),2): l=s.get(o,l);print('%d:%d'%(o,l),end=' ')\n";

static int decode(int minor, const uint8_t *table, size_t n, int first, int offset)
{
    if (minor <= 9)
        return py_line_lnotab(table, n, first, offset);
    if (minor == 10)
        return py_line_ranges(table, n, first, offset);
    return py_line_locations(table, n, first, offset / 2);
}

static size_t from_hex(const char *hex, uint8_t *bytes, size_t max)
{
    size_t n = 0;
    unsigned v;
    for (; n < max && sscanf(hex + 2 * n, "%2x", &v) == 1; n++)
        bytes[n] = (uint8_t)v;
    return n;
}

static void check_lines(const char *program, const char *argument)
{
    static char out[1 << 20], hex[1 << 16];
    static uint8_t table[1 << 15];
    char command[2048];
    int minor, first, used, checked = 0;
    snprintf(command, sizeof command, "%s -c \"%s\" %s", program, account, argument);
    FILE *f = popen(command, "r");
    out[fread(out, 1, sizeof out - 1, f)] = 0;
    assert_int_equal(pclose(f), 0);
    assert_int_equal(sscanf(out, "%d %d %65535s%n", &minor, &first, hex, &used), 3);
    size_t n = from_hex(hex, table, sizeof table);
    char *rest = NULL;
    for (char *p = strtok_r(out + used, " \n", &rest); p; p = strtok_r(NULL, " \n", &rest)) {
        int offset, line;
        assert_int_equal(sscanf(p, "%d:%d", &offset, &line), 2);
        assert_int_equal(decode(minor, table, n, first, offset), line);
        checked++;
    }
    assert_true(checked > 20);
}

static void run_lines(const char *program)
{
    check_lines(program, "");
    check_lines(program, "2");
}

static void test_python_lines(void **state)
{
    (void)state;
    assert_true(each_interpreter("LOOPSCOPE_TEST_PYTHONS", "/usr/bin/python3", run_lines) > 0);
}

static void test_python_lines_hostile(void **state)
{
    (void)state;
    uint8_t table[64];
    memset(table, 0xff, sizeof table); // long varints without end
    assert_int_equal(py_line_locations(table, sizeof table, 1, 1 << 20), 0);
    memset(table, 0xef, sizeof table);
    for (size_t n = 0; n <= sizeof table; n++) {
        py_line_locations(table, n, 1 << 30, 7);
        py_line_ranges(table, n, 1, 7);
        py_line_lnotab(table, n, 1, 7);
    }
    assert_int_equal(py_line_locations(table, 0, 5, 0), 0);
}

static void test_vlq(void **state)
{
    (void)state;
    // 0, -1, 1, 63, -64 (two bytes), 300
    const uint8_t bytes[] = {0x00, 0x01, 0x02, 0x7e, 0x7f, 0xd8, 0x04, 0xff};
    const int64_t expected[] = {0, -1, 1, 63, -64, 300};
    size_t at = 0;
    int64_t v;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(v8_vlq(bytes, sizeof bytes, &at, &v));
        assert_int_equal(v, expected[i]);
    }
    assert_false(v8_vlq(bytes, sizeof bytes, &at, &v)); // cut off
}

static void test_builtin_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"JsonParse", "JSON.parse"},
        {"ArrayPrototypeSort", "Array.prototype.sort"},
        {"ArrayMap", "Array.prototype.map"},
        {"ArrayFrom", "Array.from"},
        {"RegExpPrototypeTest", "RegExp.prototype.test"},
        {"ObjectKeys", "Object.keys"},
        {"MapPrototypeGet", "Map.prototype.get"},
        {"GlobalEval", "eval"},
        {"ArrayConstructor", "new Array"},
        {"AsyncFunctionAwaitResolveClosure", "(after await)"},
    };
    char buf[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(v8_builtin_name(names[i][0], buf, sizeof buf));
        assert_string_equal(buf, names[i][1]);
    }
    assert_false(v8_builtin_name("InterpreterEntryTrampoline", buf, sizeof buf));
    assert_false(v8_builtin_name("", buf, sizeof buf));
}

static void test_builtin_spelling(void **state)
{
    (void)state;
    char json[] = "Date.prototype.toJson", compare[] = "String.prototype.localeCompareIntl",
         other[] = "Map.prototype.getOrInsert", plain[] = "eval";
    v8_spell_method(json, "toJSON");
    assert_string_equal(json, "Date.prototype.toJSON");
    v8_spell_method(compare, "localeCompare");
    assert_string_equal(compare, "String.prototype.localeCompare");
    v8_spell_method(other, "get");
    v8_spell_method(other, "");
    v8_spell_method(other, NULL);
    assert_string_equal(other, "Map.prototype.getOrInsert");
    v8_spell_method(plain, "EVAL");
    assert_string_equal(plain, "eval");
    assert_true(v8_same_method("Date.prototype.toJson", "Date.prototype.toJSON"));
    assert_true(v8_same_method("JSON.parse", "JSON.parse"));
    assert_false(v8_same_method("Map.prototype.get", "Map.prototype.getOrInsert"));
}

static void test_builtin_symbols(void **state)
{
    (void)state;
    char buf[128];
    assert_true(v8_builtin_of_symbol("Builtins_ArrayMap", buf, sizeof buf));
    assert_string_equal(buf, "ArrayMap");
    assert_true(v8_builtin_of_symbol("_ZN2v88internal17Builtin_JsonParseEiPmPNS0_7IsolateE", buf,
                                     sizeof buf));
    assert_string_equal(buf, "JsonParse");
    assert_false(v8_builtin_of_symbol("_ZN2v88internal4Heap14CollectGarbageEv", buf, sizeof buf));
    assert_false(v8_builtin_of_symbol("_ZN2v88internal999Builtin_X", buf, sizeof buf));
    assert_false(v8_builtin_of_symbol("main", buf, sizeof buf));
    assert_false(v8_builtin_of_symbol(NULL, buf, sizeof buf));
}

static void test_gc(void **state)
{
    (void)state;
    struct native_frame f[] = {
        {.symbol = "memcpy"},
        {.symbol = "_ZN2v88internal9Scavenger7ProcessEPNS_11JobDelegateE"},
        {.symbol = "_ZN2v88internal4Heap14CollectGarbageENS0_15AllocationSpaceE"},
        {.jit = true},
    };
    struct v8 *v = calloc(1, sizeof *v);
    assert_true(v8_collector_frame(v, f, 4) >= 0);
    assert_int_equal(v8_collector_frame(v, f, 1), -1);
    f[0].jit = true; // JavaScript that runs inside (a callback) is not the collector
    assert_int_equal(v8_collector_frame(v, f, 4), -1);
    free(v);
}

// Without symbols the collector is known by where its functions lie.
static void test_gc_without_symbols(void **state)
{
    (void)state;
    struct v8 *v = calloc(1, sizeof *v);
    struct native_frame f[] = {{.symbol = "memcpy", .pc = 0x2001}, {.pc = 0x2000}, {.pc = 0x1000}};
    v->collector[v->ncollector++] = (struct code_range){0x1f00, 0x2010};
    assert_true(v8_collector_frame(v, f, 3) >= 0);
    assert_int_equal(v8_collector_frame(v, f, 1), -1); // a named function is what its name says
    f[1].pc = 0x2011;
    assert_int_equal(v8_collector_frame(v, f, 3), -1);
    f[1].pc = 0x1f00; // returns to a function's first byte: the call was the one before's
    assert_int_equal(v8_collector_frame(v, f, 3), -1);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python_lines),
        cmocka_unit_test(test_python_lines_hostile),
        cmocka_unit_test(test_vlq),
        cmocka_unit_test(test_builtin_names),
        cmocka_unit_test(test_builtin_symbols),
        cmocka_unit_test(test_gc),
        cmocka_unit_test(test_builtin_spelling),
        cmocka_unit_test(test_gc_without_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
