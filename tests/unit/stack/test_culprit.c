// Whose function a frame is, on stacks as they come.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "culprit.h"

#define LIBC(name)                                                                                 \
    {                                                                                              \
        .function = name, .module = "/lib/x86_64-linux-gnu/libc.so.6", .runtime = true             \
    }
#define UV(name)                                                                                   \
    {                                                                                              \
        .function = name, .module = "/usr/lib/libuv.so.1.0.0", .runtime = true                     \
    }
#define OWN(name)                                                                                  \
    {                                                                                              \
        .function = name, .module = "/srv/app"                                                     \
    }
#define PYTHON(name, path)                                                                         \
    {                                                                                              \
        .function = name, .file = path, .kind = FRAME_PYTHON                                       \
    }
#define JS(name, path)                                                                             \
    {                                                                                              \
        .function = name, .file = path, .kind = FRAME_JAVASCRIPT                                   \
    }
#define COUNT(frames) ((int)(sizeof(frames) / sizeof(*(frames))))

static const char *culprit_of(struct frame *frames, int n)
{
    mark_runtime(frames, n);
    int i = find_culprit(frames, n);
    return i < 0 ? NULL : frames[i].function;
}

static void innermost_own_function(void **state)
{
    (void)state;
    struct frame f[] = {LIBC("clock_nanosleep"), LIBC("usleep"), OWN("do_sleep"),
                        OWN("handler"),          UV("uv_run"),   OWN("main")};
    assert_string_equal(culprit_of(f, COUNT(f)), "do_sleep");
}

static void nobody_in_the_loops_own_wait(void **state)
{
    (void)state;
    struct frame f[] = {LIBC("epoll_wait"), UV("uv__io_poll"), UV("uv_run"), OWN("main")};
    assert_null(culprit_of(f, COUNT(f)));
    assert_false(is_in_language(f, COUNT(f)));
}

// Without a loop in sight main may be the one.
static void plain_program(void **state)
{
    (void)state;
    struct frame f[] = {LIBC("read"), OWN("main"), LIBC("__libc_start_main")};
    assert_string_equal(culprit_of(f, COUNT(f)), "main");
}

static void nested_loop_is_inside_the_outer_one(void **state)
{
    (void)state;
    struct frame f[] = {LIBC("epoll_pwait"),
                        UV("uv__io_poll"),
                        UV("uv_run"),
                        JS("execSync", "node:child_process"),
                        JS("handler", "/srv/app.js"),
                        JS("listOnTimeout", "node:internal/timers"),
                        UV("uv_run"),
                        OWN("main")};
    assert_string_equal(culprit_of(f, COUNT(f)), "handler");
    struct loop_runs r = find_loop_runs(f, COUNT(f));
    assert_int_equal(r.count, 2);
    assert_int_equal(r.innermost, 2);
    assert_int_equal(r.outermost, 6);
    assert_true(is_in_language(f, COUNT(f)));
}

static void one_loop_of_two_functions_counts_once(void **state)
{
    (void)state;
    struct frame f[] = {LIBC("epoll_wait"), OWN("aeProcessEvents"), OWN("aeMain"), OWN("main")};
    struct loop_runs r = find_loop_runs(f, COUNT(f));
    assert_int_equal(r.count, 1);
    assert_int_equal(r.innermost, 1);
}

static void language_before_native(void **state)
{
    (void)state;
    struct frame f[] = {
        {.function = "EVP_DigestUpdate", .module = "/usr/lib/libcrypto.so.3"},
        PYTHON("digest", "/usr/lib/python3.11/hashlib.py"),
        PYTHON("check_password", "/srv/app/users.py"),
        PYTHON("Handle._run", "/usr/lib/python3.11/asyncio/events.py"),
        PYTHON("BaseEventLoop.run_forever", "/usr/lib/python3.11/asyncio/base_events.py"),
        PYTHON("<module>", "/srv/app/main.py")};
    assert_string_equal(culprit_of(f, COUNT(f)), "check_password");
    assert_true(f[1].runtime);
    assert_false(f[2].runtime);
}

static void own_code_before_packages(void **state)
{
    (void)state;
    struct frame f[] = {PYTHON("recv", "/usr/lib/python3.11/socket.py"),
                        PYTHON("get", "/usr/lib/python3/dist-packages/requests/api.py"),
                        PYTHON("fetch", "/srv/app/fetch.py")};
    assert_string_equal(culprit_of(f, COUNT(f)), "fetch");
    assert_string_equal(culprit_of(f, 2), "get");
    assert_string_equal(culprit_of(f, 1), "recv");
}

static void asyncio_waits_for_itself(void **state)
{
    (void)state;
    struct frame f[] = {
        LIBC("epoll_wait"),
        PYTHON("EpollSelector.select", "/usr/lib/python3.11/selectors.py"),
        PYTHON("BaseEventLoop._run_once", "/usr/lib/python3.11/asyncio/base_events.py"),
        PYTHON("BaseEventLoop.run_forever", "/usr/lib/python3.11/asyncio/base_events.py"),
        PYTHON("Runner.run", "/usr/lib/python3.11/asyncio/runners.py"),
        PYTHON("<module>", "/srv/app/main.py")};
    assert_null(culprit_of(f, COUNT(f)));
    assert_false(is_in_language(f, COUNT(f)));
    struct loop_runs r = find_loop_runs(f, COUNT(f));
    assert_int_equal(r.count, 1);
    assert_int_equal(r.innermost, 3);
    for (int i = 0; i <= r.innermost; i++)
        assert_true(f[i].runtime);
}

static void stripped_pollers(void **state)
{
    (void)state;
    struct frame f[] = {LIBC("epoll_wait"),
                        {.module = "/usr/bin/redis-server", .offset = 0x64e50},
                        {.function = "aeMain", .module = "/usr/bin/redis-server", .runtime = true},
                        {.function = "main", .module = "/usr/bin/redis-server"}};
    assert_null(culprit_of(f, COUNT(f)));
}

static void named_caller_for_a_nameless_function(void **state)
{
    (void)state;
    struct frame f[] = {{.module = "/usr/bin/redis-server", .offset = 1},
                        {.module = "/usr/bin/redis-server", .offset = 2},
                        {.function = "evalCommand", .module = "/usr/bin/redis-server"}};
    assert_string_equal(culprit_of(f, COUNT(f)), "evalCommand");
    f[1] = (struct frame)LIBC("qsort"); // a call back: what lies beyond is another story
    assert_null(culprit_of(f, COUNT(f)));
    assert_int_equal(find_culprit(f, COUNT(f)), 0);
}

// Of a stripped redis: Lua's nameless functions are Lua's, and what calls Lua is the culprit.
static void nameless_functions_of_lua(void **state)
{
    (void)state;
    const char *redis = "/usr/bin/redis-server";
    struct frame f[] = {{.module = redis, .offset = 1},
                        {.module = redis, .offset = 2},
                        {.function = "lua_pcall", .module = redis, .runtime = true},
                        {.function = "luaCallFunction", .module = redis},
                        {.function = "evalGenericCommand", .module = redis},
                        {.function = "aeMain", .module = redis, .runtime = true}};
    assert_string_equal(culprit_of(f, COUNT(f)), "luaCallFunction");
    assert_true(f[0].runtime && f[1].runtime);
    f[1] = (struct frame){.function = "setCommand", .module = redis}; // called by the script
    f[0].runtime = f[1].runtime = false;
    assert_string_equal(culprit_of(f, COUNT(f)), "setCommand");
    assert_false(f[0].runtime);
}

static void a_lua_function_before_what_runs_it(void **state)
{
    (void)state;
    const char *redis = "/usr/bin/redis-server";
    struct frame f[] = {
        {.function = "function <user_script:1>", .file = "user_script", .kind = FRAME_LUA},
        {.function = "lua_pcall", .module = redis, .runtime = true},
        {.function = "evalGenericCommand", .module = redis},
        {.function = "aeMain", .module = redis, .runtime = true}};
    assert_string_equal(culprit_of(f, COUNT(f)), "function <user_script:1>");
}

static void jit_code_is_nobodys(void **state)
{
    (void)state;
    struct frame f[] = {{.offset = 0x7f0000001000}, UV("uv_run")};
    assert_null(culprit_of(f, COUNT(f)));
    assert_int_equal(find_culprit(f, COUNT(f)), -1);
}

static void roles(void **state)
{
    (void)state;
    assert_int_equal(role_of_path("/lib/x86_64-linux-gnu/libc.so.6"), ROLE_LIBC);
    assert_int_equal(role_of_path("/lib/ld-musl-x86_64.so.1"), ROLE_LIBC);
    assert_int_equal(role_of_path("[vdso]"), ROLE_LIBC);
    assert_int_equal(role_of_path("/usr/lib/libuv.so.1.0.0"), ROLE_LOOP);
    assert_int_equal(role_of_path("/usr/bin/node"), ROLE_INTERPRETER);
    assert_int_equal(role_of_path("/usr/bin/python3.11"), ROLE_INTERPRETER);
    assert_int_equal(role_of_path("/usr/lib/python3.11/lib-dynload/_asyncio.so"), ROLE_INTERPRETER);
    assert_int_equal(role_of_path("/usr/bin/node_exporter"), ROLE_USER);
    assert_int_equal(role_of_path("/usr/lib/libevent_core-2.1.so.7"), ROLE_LOOP);
    assert_int_equal(role_of_path("/srv/libevent_demo"), ROLE_USER);
    assert_int_equal(role_of_path("/srv/libcurl.so.4"), ROLE_USER);
    assert_true(is_runtime_function("__clock_nanosleep"));
    assert_false(is_runtime_function("__my_handler"));
    assert_int_equal(role_of_path(NULL), ROLE_USER);
    assert_true(is_runtime_function("uv__io_poll"));
    assert_true(is_runtime_function("__libc_start_call_main"));
    assert_true(is_runtime_function("std::sort<int*>"));
    assert_true(is_runtime_source("/rustc/0123/library/core/src/num/mod.rs"));
    assert_true(is_runtime_source("/usr/include/c++/12/bits/stl_algo.h"));
    assert_false(is_runtime_source("/srv/app/src/library.rs"));
    assert_false(is_runtime_source(NULL));
    assert_false(is_runtime_function("read_config"));
    assert_false(is_runtime_function("uvector_push"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(innermost_own_function),
        cmocka_unit_test(nobody_in_the_loops_own_wait),
        cmocka_unit_test(plain_program),
        cmocka_unit_test(nested_loop_is_inside_the_outer_one),
        cmocka_unit_test(one_loop_of_two_functions_counts_once),
        cmocka_unit_test(language_before_native),
        cmocka_unit_test(own_code_before_packages),
        cmocka_unit_test(asyncio_waits_for_itself),
        cmocka_unit_test(stripped_pollers),
        cmocka_unit_test(named_caller_for_a_nameless_function),
        cmocka_unit_test(nameless_functions_of_lua),
        cmocka_unit_test(a_lua_function_before_what_runs_it),
        cmocka_unit_test(jit_code_is_nobodys),
        cmocka_unit_test(roles),
    };
    return cmocka_run_group_tests_name("culprit", tests, NULL, NULL);
}
