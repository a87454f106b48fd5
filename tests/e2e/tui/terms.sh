# Poor terminals: vt100 and linux draw; dumb and unknown ones get text or a plain refusal.
. "$here/tui/lib.sh"
for type in vt100 linux xterm; do
    start 100 30 "TERM=$type $demo"
    wait_for F10Quit
    keys q
    wait_for 'status=0'
    stop
done
start 100 30 "TERM=dumb $demo --every 200"
wait_for 'is blocked for'
screen | grep -q F10Quit && fail "a dumb terminal was drawn on"
keys C-c
wait_for 'status=0'
stop
start 100 30 "TERM=nonsense $demo"
wait_for 'the terminal type nonsense is not known'
wait_for 'status=2'
stop
start 100 30 "LC_ALL=C $demo"
wait_for billing/main
LC_ALL=C screen | LC_ALL=C grep -qP '[\x80-\xff]' && fail "not ASCII in the C locale"
exit 0
