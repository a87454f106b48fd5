#!/bin/bash
# Bad input: one clear line, the right status, no crash, nothing left behind.
# usage: badinput.sh   (LOOPSCOPE names the program, LOOPSCOPE_BUILD the build folder)
here=$(cd "$(dirname "$0")" && pwd)
build=${LOOPSCOPE_BUILD:-$here/../../build}
agent=${LOOPSCOPE:-$build/loopscope}
targets=$build/targets
tmp=$(mktemp -d) failed=0 count=0 started=()
clean_up() { [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$tmp"; }
trap clean_up EXIT
[ -x "$agent" ] || { echo "failed: $agent is not built"; exit 1; }

# expect NAME STATUS COMMAND...: the status, at most two lines on stderr, no sign of a crash.
expect() {
    local name=$1 want=$2 got lines
    shift 2
    count=$((count + 1))
    timeout 40 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    got=$?
    lines=$(wc -l <"$tmp/err")
    if [[ " $want " != *" $got "* ]]; then
        echo "  failed: $name: status $got, not $want: $(head -c 300 "$tmp/err" | tr '\n' ' ')"
        failed=$((failed + 1))
    elif [ "$got" -ge 2 ] && { [ "$lines" -lt 1 ] || [ "$lines" -gt 2 ]; }; then
        echo "  failed: $name: $lines lines on stderr instead of one with one hint: $(head -c 300 "$tmp/err" | tr '\n' '|')"
        failed=$((failed + 1))
    elif grep -qE 'AddressSanitizer|runtime error|core dumped|Assertion' "$tmp/err"; then
        echo "  failed: $name: $(head -n 1 "$tmp/err")"
        failed=$((failed + 1))
    fi
}

background() { # COMMAND...: starts it, leaves its pid in $pid
    "$@" >/dev/null 2>&1 </dev/null &
    pid=$!
    started+=("$pid")
}

# --- usage: status 2
expect "no such command" 2 "$agent" frobnicate
expect "no such option" 2 "$agent" check 1 --frobnicate
expect "a word that is no pid and no file" 2 "$agent" check no-such-file.lsr
expect "a bad duration" 2 "$agent" check $$ --for 10parsecs
expect "a negative duration" 2 "$agent" check $$ --for -1s
expect "a huge duration" 2 "$agent" check $$ --for 99999999999999999999s
expect "no target" 2 "$agent" check
expect "two targets" 2 "$agent" check 1 2
expect "a bad severity" 2 "$agent" check $$ --fail-on dire
expect "an unknown rule to ignore" 2 "$agent" check $$ --ignore no-such-rule --for 1s
expect "an unknown setting" 2 "$agent" check $$ -o no-such.key=1 --for 1s
expect "a setting without a value" 2 "$agent" check $$ -o loop-blocked.warn --for 1s
expect "a setting that is no number" 2 "$agent" check $$ -o loop-blocked.warn=soon --for 1s
expect "a missing file of settings" "2 3" "$agent" check $$ -c "$tmp/none" --for 1s
expect "a bad format" 2 "$agent" report $$ --format papyrus --for 1s
expect "an unknown rule" 2 "$agent" rules no-such-rule
expect "a bad backend" 2 "$agent" check $$ --backend magic
expect "a bad time scale" 2 "$agent" check $$ --time-scale 0 --for 1s
expect "an option without its value" 2 "$agent" check $$ --for
expect "-- without a command" 2 "$agent" check --
expect "record without -o" 2 "$agent" record $$ --for 1s
expect "a pid beyond any" "2 3" "$agent" check 99999999999 --for 1s
expect "pid 0" "2 3" "$agent" check 0 --for 1s
expect "an empty argument" 2 "$agent" check ""

# --- could not attach: status 3
sh -c 'exit 0' & gone=$!
wait $gone
expect "no such pid" 3 "$agent" check $gone --for 1s
kernel_thread=$(ps -e -o pid= -o ppid= | awk '$2 == 2 { print $1; exit }')
[ -n "$kernel_thread" ] && expect "a kernel thread" 3 "$agent" check "$kernel_thread" --for 1s
background "${PYTHON:-/usr/bin/python3}" -c '
import os, time
if os.fork() == 0: os._exit(0)
time.sleep(60)'
sleep 0.5
zombie=$(ps --ppid "$pid" -o pid= | tr -d ' ')
[ -n "$zombie" ] && expect "a zombie" 3 "$agent" check "$zombie" --for 1s
expect "no match of a name" 3 "$agent" check --name 'no-such-program-*' --for 1s
expect "a command that is not there" 3 "$agent" check --for 1s -- /no/such/program
expect "a folder as a recording" "2 3" "$agent" report "$tmp" --format text
echo "not a database" >"$tmp/foreign.lsr"
expect "a foreign file as a recording" 3 "$agent" report "$tmp/foreign.lsr" --format text
mkfifo "$tmp/pipe.lsr"
expect "a pipe that nobody writes as a recording" 3 timeout -k 1 60 "$agent" report "$tmp/pipe.lsr" --format text
: >"$tmp/empty.lsr"
expect "an empty recording" 3 "$agent" report "$tmp/empty.lsr" --format text
head -c 8192 /dev/urandom >"$tmp/noise.lsr"
expect "noise as a recording" 3 "$agent" check "$tmp/noise.lsr"
background "$targets/healthy_c"
healthy=$pid
sleep 0.3
if "$agent" record "$healthy" --for 2s -o "$tmp/good.lsr" 2>/dev/null; then
    head -c $(($(stat -c %s "$tmp/good.lsr") / 2)) "$tmp/good.lsr" >"$tmp/half.lsr"
    expect "half a recording" "0 1 3 4" "$agent" report "$tmp/half.lsr" --format text
    expect "recording a recording" 2 "$agent" record "$tmp/good.lsr" -o "$tmp/again.lsr"
fi
expect "a recording that cannot be written" "3 5" "$agent" record "$healthy" --for 1s -o /no/such/folder/x.lsr

# --- another user's process, without privilege
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    cp "$agent" "$tmp/loopscope"; chmod 755 "$tmp" "$tmp/loopscope"
    expect "another user's process" 3 "${nobody[@]}" "$tmp/loopscope" check "$healthy" --for 1s
    grep -qiE 'permission|privilege|root|capab|user' "$tmp/err" ||
        { echo "  failed: another user's process: does not say why: $(cat "$tmp/err")"; failed=$((failed + 1)); }
fi

# --- too early to tell: status 4
background sleep 60
expect "a process without a loop" 4 "$agent" check "$pid" --for 1500ms
background sh -c "sleep 1; exit 0"
expect "a target that ends first" "3 4" "$agent" check "$pid" --for 5s

# --- targets that change under the agent
for restless in exec fork exit threads; do
    [ -x "$targets/restless" ] || continue
    for i in 1 2 3; do
        background "$targets/restless" "$restless" "$i"
        sleep 0.2
        expect "a target that does $restless at any moment" "0 1 3 4" "$agent" check "$pid" --for 2500ms
        kill "$pid" 2>/dev/null
    done
done
for kind in static 32bit; do
    [ -x "$targets/stall_$kind" ] || continue
    background "$targets/stall_$kind"
    expect "a $kind program" "0 1 3 4" "$agent" check "$pid" --for 3s
    kill "$pid" 2>/dev/null
done

# --- nothing left behind
sleep 0.3
left=$(pgrep -P $$ -f "$agent" | wc -l)
[ "$left" = 0 ] || { echo "  failed: $left agents are left"; failed=$((failed + 1)); }
kill -0 "$healthy" 2>/dev/null || { echo "  failed: the healthy target died"; failed=$((failed + 1)); }

echo "bad input: $count tries, $failed wrong"
[ $failed = 0 ]
