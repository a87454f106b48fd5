// The tables: mappings, symbols, perf maps, messages, names.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../snapshot/arena.h"
#include "demangle.h"
#include "maps.h"
#include "module.h"
#include "perf_map.h"
#include "wire.h"

static void maps_are_parsed(void **state)
{
    (void)state;
    char *text = strdup("00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a b\n"
                        "00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n"
                        "nonsense\n"
                        "00000100-00000200 r--p 00000000 00:00 0 \n" // not in order
                        "7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n"
                        "7f0000002000-7f0000003000 r-xp 00000000 fd:01 77 /tmp/x (deleted)\n"
                        "7f0000004000-7f0000003000 r-xp 00000000 fd:01 77 /bad\n");
    struct maps m;
    assert_int_equal(maps_parse(&m, text), 0);
    assert_int_equal(m.n, 4);
    struct mapping *a = maps_find(&m, 0x400000);
    assert_string_equal(a->path, "/usr/bin/a b");
    assert_int_equal(a->offset, 0x1000);
    assert_int_equal(a->inode, 173521);
    assert_true(a->exec && a->read && !a->write);
    assert_ptr_equal(maps_find(&m, 0x451fff), a);
    assert_null(maps_find(&m, 0x452000));
    assert_null(maps_find(&m, 0));
    assert_true(mapping_is_anonymous(maps_find(&m, 0x7f0000000000)));
    assert_false(mapping_is_anonymous(a));
    struct mapping *x = maps_find(&m, 0x7f0000002abc);
    assert_string_equal(x->path, "/tmp/x");
    assert_true(x->deleted);
    maps_free(&m);
}

static void own_maps(void **state)
{
    (void)state;
    struct maps m;
    int fd = open("/proc/self/maps", O_RDONLY);
    assert_int_equal(maps_read(&m, fd), 0);
    close(fd);
    struct mapping *code = maps_find(&m, (uint64_t)(uintptr_t)own_maps);
    assert_true(code && code->exec);
    assert_non_null(strstr(code->path, "test_tables"));
    maps_free(&m);
}

static struct module *open_self(void)
{
    struct module *m;
    assert_int_equal(module_open(&m, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "self"), 0);
    return m;
}

// Every function of this program is found by its name and by all of its addresses.
static void symbols_by_name_and_address(void **state)
{
    (void)state;
    struct module *m = open_self();
    struct symbol named, at;
    assert_true(module_symbol_named(m, "symbols_by_name_and_address", &named));
    assert_true(named.size > 0);
    for (uint64_t i = 0; i < named.size; i++) {
        assert_true(module_symbol_at(m, named.address + i, &at));
        assert_string_equal(at.name, "symbols_by_name_and_address");
    }
    assert_false(module_symbol_named(m, "no_such_function", &named));
    assert_false(module_symbol_at(m, 1, &at));
    assert_true(symtab_size(m->symbols) > 100);
    assert_int_equal(strlen(m->build_id) % 2, 0);
    assert_true(strlen(m->build_id) >= 16);
    module_unref(m);
}

static void sections_and_segments(void **state)
{
    (void)state;
    struct module *m = open_self();
    uint64_t size, address;
    assert_true(module_section(m, ".text", &size) > 0);
    assert_true(size > 1000);
    assert_int_equal(module_section(m, ".debug_info", &size), 0); // not loaded
    assert_true(module_has_section(m, ".debug_info"));
    assert_true(module_needs(m, "libc.so"));
    assert_false(module_needs(m, "libdoesnotexist"));
    for (int i = 0; i < m->nsegments; i++) {
        assert_true(module_address_of(m, m->segments[i].offset, &address));
        assert_int_equal(address, m->segments[i].address);
    }
    assert_false(module_address_of(m, 1ull << 40, &address));
    module_unref(m);
}

static void not_an_elf_file(void **state)
{
    (void)state;
    struct module *m;
    assert_true(module_open(&m, open("/proc/self/cmdline", O_RDONLY), "x") < 0);
    assert_null(m);
    assert_true(module_open(&m, open("/etc/passwd", O_RDONLY), "x") < 0);
}

static void add_line(int fd, const char *line)
{
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
}

static void last_covering_line_counts(void **state)
{
    (void)state;
    char name[64];
    int fd = memfd_create("map", 0);
    add_line(fd, "1000 100 old\n1080 20 inner\nbad line\n2000 10 other\n");
    struct perf_map *m = perf_map_new(fd);
    perf_map_refresh(m);
    assert_true(perf_map_find(m, 0x1000, name, sizeof(name)));
    assert_string_equal(name, "old");
    assert_true(perf_map_find(m, 0x1085, name, sizeof(name)));
    assert_string_equal(name, "inner");
    assert_false(perf_map_find(m, 0x1100, name, sizeof(name)));
    assert_false(perf_map_find(m, 0xfff, name, sizeof(name)));
    add_line(fd, "1040 80 with spaces ~x.js:1\n1000 4"); // the second is not complete yet
    perf_map_refresh(m);
    assert_true(perf_map_find(m, 0x1085, name, sizeof(name)));
    assert_string_equal(name, "with spaces ~x.js:1");
    assert_true(perf_map_find(m, 0x1001, name, sizeof(name)));
    assert_string_equal(name, "old");
    add_line(fd, "0 newest\n");
    perf_map_refresh(m);
    assert_true(perf_map_find(m, 0x1001, name, 4));
    assert_string_equal(name, "new");
    perf_map_free(m);
}

static void big_message_with_descriptor(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    struct wire a = {.fd = pair[0]}, b = {.fd = pair[1]};
    size_t size = 150000; // three packets
    uint8_t *body = malloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(i * 7);
    struct message m = {.kind = 5, .id = 9, .body = body, .size = size, .nfds = 1, .fds = {0}}, got;
    assert_int_equal(wire_send(&a, &m), 0);
    assert_int_equal(wire_receive(&b, &got), 1);
    assert_int_equal(got.id, 9);
    assert_int_equal(got.size, size);
    assert_memory_equal(got.body, body, size);
    assert_int_equal(got.nfds, 1);
    assert_true(fcntl(got.fds[0], F_GETFD) & FD_CLOEXEC);
    message_free(&got);
    close(pair[0]);
    assert_int_equal(wire_receive(&b, &got), -EPIPE);
    close(pair[1]);
    free(body);
}

static void malformed_messages(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    struct wire b = {.fd = pair[1]};
    struct message got;
    struct {
        uint32_t kind, id;
        uint64_t size, offset;
        char part[8];
    } packet = {1, 1, 1ull << 40, 0, ""};
    static struct {
        uint8_t head[24], part[65536];
    } large;
    assert_true(send(pair[0], &packet, sizeof(packet), 0) > 0);
    assert_int_equal(wire_receive(&b, &got), -EPROTO); // too big
    packet.size = 4;
    assert_true(send(pair[0], &packet, sizeof(packet), 0) > 0);
    assert_int_equal(wire_receive(&b, &got), -EPROTO); // more than announced
    assert_true(send(pair[0], "xx", 2, 0) > 0);
    assert_int_equal(wire_receive(&b, &got), -EPROTO); // no header
    wire_reset(&b);
    packet.part[0] = 'x'; // crumbs: a byte of a body, where the rest would have gone with it
    assert_true(send(pair[0], &packet, sizeof(packet) - 7, 0) > 0);
    assert_int_equal(wire_receive(&b, &got), -EPROTO);
    wire_reset(&b);
    packet.size = 100000; // two begun, none ended
    memset(large.part, 0, sizeof(large.part));
    memcpy(large.head, &packet, sizeof(large.head));
    assert_true(send(pair[0], &large, sizeof(large), 0) > 0);
    assert_true(send(pair[0], &large, sizeof(large), 0) > 0);
    assert_int_equal(wire_receive(&b, &got), -EPROTO);
    wire_reset(&b);
    close(pair[0]);
    close(pair[1]);
}

static void reading_past_the_end(void **state)
{
    (void)state;
    struct writer w = {0};
    put_u32(&w, 7);
    put_text(&w, "seven");
    put_text(&w, NULL);
    struct reader r = {w.data, w.data + w.len, false};
    assert_int_equal(get_u32(&r), 7);
    assert_string_equal(get_text(&r), "seven");
    assert_null(get_text(&r));
    assert_false(r.bad);
    assert_int_equal(get_u64(&r), 0);
    assert_true(r.bad);
    w.data[13] = 'x'; // the NUL of "seven"
    r = (struct reader){w.data + 4, w.data + w.len, false};
    assert_null(get_text(&r));
    assert_true(r.bad);
    writer_free(&w);
}

static void names(void **state)
{
    (void)state;
    struct arena *a = arena_new();
    assert_string_equal(demangle(a, "main"), "main");
    assert_string_equal(demangle(a, "_ZN4node9inspector5Agent5StartEi"),
                        "node::inspector::Agent::Start");
    assert_string_equal(demangle(a, "spin.constprop.0"), "spin");
    assert_string_equal(demangle(a, "_ZL4workv.isra.0.cold"), "work");
    assert_string_equal(demangle(a, "memcpy@@GLIBC_2.14"), "memcpy");
    assert_string_equal(demangle(a, "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"),
                        "core::fmt::Formatter::pad");
    assert_string_equal(demangle(a, "_RNvCs1234_7mycrate3foo"), "mycrate::foo");
    assert_string_equal(demangle(a, "_Z"), "_Z");
    assert_string_equal(demangle(a, ".hidden"), ".hidden");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_parsed),
        cmocka_unit_test(own_maps),
        cmocka_unit_test(symbols_by_name_and_address),
        cmocka_unit_test(sections_and_segments),
        cmocka_unit_test(not_an_elf_file),
        cmocka_unit_test(last_covering_line_counts),
        cmocka_unit_test(big_message_with_descriptor),
        cmocka_unit_test(malformed_messages),
        cmocka_unit_test(reading_past_the_end),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
