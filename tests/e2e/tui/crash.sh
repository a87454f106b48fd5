# Whatever kills it, the terminal is as it was, and the status tells the cause.
. "$here/tui/lib.sh"
for signal in SEGV:139 BUS:135 ABRT:134 FPE:136 ILL:132 TERM:143 HUP:129 INT:0; do
    start 100 30 "stty -g >$home/before; $demo"
    wait_for F10Quit
    kill -"${signal%:*}" "$(pid_of_demo)"
    wait_for "status=${signal#*:}"
    keys "stty -g >$home/after; echo comp''ared" Enter
    wait_for compared
    cmp "$home/before" "$home/after" || fail "SIG${signal%:*}: the terminal is not as before"
    screen | grep -q F10Quit && fail "SIG${signal%:*}: the full-screen mode was not left"
    stop
    sleep 0.1
done
exit 0
