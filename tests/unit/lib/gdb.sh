#!/bin/bash
# gdb's backtrace in a task ends at the task's entry, without garbage behind it. usage: gdb.sh PROGRAM (bench/runtime_ours)
program=$1
[ -x "$program" ] || { echo "skipped: $program is not built"; exit 77; }
command -v gdb >/dev/null || { echo "skipped: no gdb"; exit 77; }
out=$(DEBUGINFOD_URLS='' timeout 60 gdb -q -nx -batch -ex 'break nothing' -ex run -ex bt --args "$program" spawn 10 2>&1)
grep -qE 'not permitted|Could not trace' <<<"$out" && { echo "skipped: gdb may not trace here"; exit 77; }
frames=$(grep -E '^#[0-9]+ ' <<<"$out")
[ "$(grep -cE '^#[0-9]+ .*(nothing|task_main|ls__task_entry)' <<<"$frames")" = 3 ] &&
    [ "$(wc -l <<<"$frames")" = 3 ] && tail -n 1 <<<"$frames" | grep -q ls__task_entry &&
    ! grep -qi 'corrupt' <<<"$out" || { echo "FAILED"; echo "$out"; exit 1; }
echo "ok: nothing, task_main, ls__task_entry"
