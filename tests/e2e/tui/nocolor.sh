# Colours by default, none with NO_COLOR: bold, reverse and underline stay.
. "$here/tui/lib.sh"
colours() { screen -e | grep -cP '\e\[[0-9;]*(3[0-7]|38;5)[0-9;]*m'; }
start 100 30 "$demo"
wait_for billing/main
[ "$(colours)" -gt 3 ] || fail "no colours"
keys q
wait_for 'status=0'
stop
start 100 30 "NO_COLOR=1 $demo"
wait_for billing/main
[ "$(colours)" = 0 ] || fail "colours in spite of NO_COLOR"
screen -e | grep -qP '\e\[[0-9;]*7m' || fail "nothing is reversed"
