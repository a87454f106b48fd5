# It starts, shows what is blocked, and q leaves with status 0 and the screen as it was.
. "$here/tui/lib.sh"
start 100 30 "$demo"
wait_for 'billing/main has been inside one turn'
wait_for 'F10Quit'
keys q
wait_for 'status=0'
screen | grep -q F10Quit && fail "the full-screen mode was not left"
exit 0
