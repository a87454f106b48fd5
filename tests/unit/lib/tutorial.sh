#!/bin/bash
# Builds each program of the tutorial and compares what it prints with what the page says: tutorial.sh SOURCE BUILD
source=$1 build=$2
scratch=$(mktemp -d)
awk -v out="$scratch" '
    /^```c$/ { n++; file = out "/" n ".c"; next }
    /^```text$/ { file = out "/" n ".expected"; next }
    /^```$/ { file = ""; next }
    file { print > file }' "$source/docs/runtime/tutorial.md"
failed=0
programs=("$scratch"/*.c)
[ ${#programs[@]} -ge 5 ] || { echo "FAILED: only ${#programs[@]} programs found"; failed=1; }
for program in "${programs[@]}"; do
    name=$(basename "$program" .c)
    # shellcheck disable=SC2086
    if ${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -O2 $TUTORIAL_FLAGS -I"$source/lib/include" "$program" \
        "$build/libloopscope.a" -luv -lpthread -o "$scratch/$name" &&
        timeout 20 "$scratch/$name" >"$scratch/$name.out" 2>&1 &&
        diff "$scratch/$name.expected" "$scratch/$name.out"; then
        echo "ok program $name"
    else
        echo "FAILED program $name"
        failed=1
    fi
done
rm -r "$scratch"
exit $failed
