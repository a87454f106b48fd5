# Pause keeps the picture while data comes; [ and ] step; p goes on.
. "$here/tui/lib.sh"
start 100 30 "$demo --every 1000"
wait_for billing/main
wait_until_changed "$(screen | head -n 1)"
wait_until_changed "$(screen | head -n 1)"
keys p
wait_for 'data keeps coming'
clock=$(screen | head -n 1)
sleep 1.3
[ "$(screen | head -n 1)" = "$clock" ] || fail "the picture moved"
wait_for 's behind the newest'
keys '['
wait_until_changed "$clock"
keys p
wait_until_gone PAUSED
