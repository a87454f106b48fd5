#!/bin/bash
# The USDT probes are listed and fire: so many tasks created and ended as the program made. usage: usdt.sh PROGRAM
set -u
program=$1 tasks=20000
[ -x "$program" ] || { echo "skipped: $program is not built"; exit 77; }
command -v readelf >/dev/null || { echo "skipped: no readelf"; exit 77; }

notes=$(readelf -n "$program")
grep -q 'Provider: loopscope' <<<"$notes" || { echo "skipped: built without sys/sdt.h"; exit 77; }
for name in task_{created,started,suspended,resumed,ended,awaited,orphaned,cancelled}; do
    grep -q "Name: $name\$" <<<"$notes" || { echo "FAILED: no probe $name"; exit 1; }
done

command -v bpftrace >/dev/null || { echo "skipped: no bpftrace; the 8 probes are in the ELF notes"; exit 77; }
bpftrace -l "usdt:$program:*" 2>/dev/null | grep -q loopscope:task_created || { echo "FAILED: bpftrace lists none"; exit 1; }
probe=usdt:$program:loopscope
out=$(timeout 60 bpftrace -e "$probe:task_created { @created = count(); }
    $probe:task_ended { @ended = count(); } $probe:task_awaited { @awaited = count(); }" \
    -c "$program spawn $tasks" 2>&1)
grep -q '^Attaching' <<<"$out" && ! grep -qE 'perf_event_open|not permitted|ERROR: Error attaching' <<<"$out" ||
    { echo "skipped: bpftrace may not attach here: $(tail -n 1 <<<"$out")"; exit 77; }

count() { sed -n "s/^@$1: //p" <<<"$out"; }
# The main task is made before the loop can see that it is traced, and ends too.
for name in created ended awaited; do
    n=$(count $name)
    [ "${n:-0}" -ge $tasks ] && [ "$n" -le $((tasks + 1)) ] || { echo "FAILED: $name: ${n:-none} of $tasks"; echo "$out"; exit 1; }
done
echo "ok: created $(count created), ended $(count ended), awaited $(count awaited)"
