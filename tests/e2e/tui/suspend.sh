# ^Z gives the terminal back; fg takes it again, whole.
. "$here/tui/lib.sh"
start 100 30 "$demo"
wait_for billing/main
keys C-z
wait_for Stopped
keys fg Enter
wait_for billing/main
wait_for 'billing/main has been inside one turn'
kill -TSTP "$(pid_of_demo)"
wait_for Stopped
keys fg Enter
wait_for billing/main
keys q
wait_until_gone F10Quit
