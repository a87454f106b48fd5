# What was chosen is remembered, in the state folder; the user's own config is read, never written.
. "$here/tui/lib.sh"
mkdir -p "$home/config/loopscope"
echo 'ascii=yes' >"$home/config/loopscope/config"
start 100 30 "$demo"
wait_for billing/main
LC_ALL=C screen | LC_ALL=C grep -qP '[\x80-\xff]' && fail "the config was not read"
keys s
wait_for 'Sort by'
keys j j j Enter
wait_for 'sort: PID'
keys q
wait_for 'status=0'
grep -q '^sort.loops=PID$' "$home/state/loopscope/state" || fail "not remembered"
[ "$(cat "$home/config/loopscope/config")" = 'ascii=yes' ] || fail "the config was written to"
stop
start 100 30 "$demo"
wait_for 'sort: PID'
