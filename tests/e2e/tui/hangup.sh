# The terminal goes away: it leaves, and does not spin.
. "$here/tui/lib.sh"
start 100 30 "$demo"
wait_for billing/main
pid=$(pid_of_demo)
[ -n "$pid" ] || fail "it does not run"
stop
for ((i = 0; i < 400; i++)); do
    kill -0 "$pid" 2>/dev/null || exit 0
    sleep 0.05
done
kill -9 "$pid"
echo "still running 20 s after its terminal was gone"
exit 1
