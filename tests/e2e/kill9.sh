#!/bin/bash
# kill -9 of the agent at any moment of a capture leaves the target running, and nothing of the agent.
# usage: kill9.sh [TRIES]
here=$(cd "$(dirname "$0")" && pwd)
build=${LOOPSCOPE_BUILD:-$here/../../build}
agent=$(realpath "${LOOPSCOPE:-$build/loopscope}")
tries=${1:-20}
tmp=$(mktemp -d)
[ -x "$agent" ] || { echo "failed: $agent is not built"; exit 1; }

"$build/targets/stall_c" --causes spin,nanosleep,fifo --gap-min 50 --gap-max 100 --start 10 \
    --log "$tmp/journal" &
target=$!
trap 'kill $target 2>/dev/null; wait 2>/dev/null; rm -rf "$tmp"' EXIT
sleep 0.3

# Processes that run our program (the helper is one); they must end with the agent.
helpers() {
    local exe n=0
    for exe in /proc/[0-9]*/exe; do
        [ "$(readlink "$exe" 2>/dev/null)" = "$agent" ] && n=$((n + 1))
    done
    echo $n
}
before=$(helpers)
for ((i = 0; i < tries; i++)); do
    "$agent" watch $target --json >"$tmp/out" 2>&1 &
    pid=$!
    sleep "$(printf '0.%03d' $((RANDOM % 900 + 50)))"
    kill -9 $pid 2>/dev/null || { echo "failed: the agent had ended: $(tail -n 1 "$tmp/out")"; exit 1; }
    wait $pid 2>/dev/null
    kill -0 $target 2>/dev/null || { echo "failed: try $i: the target died"; exit 1; }
done

# The target still turns and stalls by its plan.
made=$(grep -c ^end "$tmp/journal")
sleep 2
now=$(grep -c ^end "$tmp/journal")
[ "$now" -gt "$made" ] || { echo "failed: the target does not go on"; exit 1; }
state=$(awk '/^State/ { print $2 }' /proc/$target/status)
[ "$state" != T ] && [ "$state" != t ] || { echo "failed: the target is stopped"; exit 1; }
tracer=$(awk '/^TracerPid/ { print $2 }' /proc/$target/status)
[ "$tracer" = 0 ] || { echo "failed: the target is traced"; exit 1; }
sleep 0.5
after=$(helpers)
[ "$after" -le "$before" ] || { echo "failed: $((after - before)) helpers are left"; exit 1; }
echo "kill -9: $tries tries, the target goes on"
