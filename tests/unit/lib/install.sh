#!/bin/bash
# The installed library serves a program by pkg-config, by CMake's find_package, from C++, static and shared; nothing but
# ls_ is visible. usage: install.sh BUILD-FOLDER
build=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

say() { # what it is, whether it holds
    if [ "$2" = 0 ]; then echo "ok $1"; else echo "FAILED $1"; failed=1; fi
}

cmake --install "$build/lib" --prefix "$scratch/usr" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
pc=$(find "$scratch/usr" -name loopscope.pc)
export PKG_CONFIG_PATH=${pc%/*}
library=$(pkg-config --variable=libdir loopscope)
cat >"$scratch/a.c" <<'EOF'
#include <loopscope/abi.h>
#include <loopscope/loopscope.h>
#include <stdio.h>

static int64_t child(void *arg)
{
    int r = ls_sleep(LS_MSEC(1));
    return r < 0 ? r : (int64_t)(intptr_t)arg;
}

static int64_t start(void *arg)
{
    struct ls_logger_options options = {};
    ls_logger *log;
    (void)arg;
    options.path = "/dev/null";
    if (ls_logger_new(&log, &options) == 0) {
        ls_log(log, LS_LOG_DEBUG, "text", ls_int("i", 1), ls_str("s", "t"), ls_bool("b", true));
        ls_logger_free(log, LS_SEC(5));
    }
    return ls_await(ls_spawn(child, (void *)41)) + 1;
}

int main(void)
{
    printf("%d\n", (int)ls_run(start, NULL));
    return 0;
}
EOF
cp "$scratch/a.c" "$scratch/b.cc"
cd "$scratch" || exit 1

# shellcheck disable=SC2046
${CC:-cc} -Wall -Wextra -Werror a.c $(pkg-config --cflags --libs loopscope) -o a &&
    [ "$(LD_LIBRARY_PATH=$library ./a)" = 42 ]; say "pkg-config, shared" $?
# shellcheck disable=SC2046
${CXX:-c++} -Wall -Wextra -Werror b.cc $(pkg-config --cflags loopscope) "$library/libloopscope.a" \
    $(pkg-config --libs libuv) -lpthread -o b && [ "$(./b)" = 42 ]; say "C++, static" $?

alone=0
for header in loopscope io abi; do
    for language in c c++; do
        # shellcheck disable=SC2046
        echo "#include <loopscope/$header.h>" |
            ${CC:-cc} -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags loopscope) -x $language - || alone=1
    done
done
say "each header by itself, in C and C++" $alone

cat >CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.16)
project(scratch C)
find_package(loopscope REQUIRED)
add_executable(c a.c)
target_link_libraries(c loopscope::loopscope)
EOF
cmake -S . -B c -DCMAKE_PREFIX_PATH="$scratch/usr" >log 2>&1 && cmake --build c >>log 2>&1 && [ "$(c/c)" = 42 ]
status=$?
[ $status = 0 ] || tail -n 5 log
say "find_package(loopscope)" $status

hidden=$(nm -D --defined-only "$library/libloopscope.so" | awk '$2 != "A" && $3 !~ /^ls_[a-z]/ { print $3 }')
[ -z "$hidden" ] || echo "visible: $hidden"
[ -z "$hidden" ]; say "only ls_ is visible" $?
exit $failed
