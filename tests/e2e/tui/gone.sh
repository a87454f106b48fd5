# The target ends: the last picture stays, and says so.
. "$here/tui/lib.sh"
start 100 30 "$demo --every 100 --end-after 3"
wait_for 'TARGET GONE'
wait_for 'billing/main'
keys R
wait_for 'the target is gone'
keys q
wait_for 'status=0'
