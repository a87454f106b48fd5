# a detaches, after asking; the picture stays; a again attaches to the same target.
. "$here/tui/lib.sh"
start 100 30 "$demo --every 100"
wait_for billing/main
keys a
wait_for 'Detach?'
keys n
wait_until_gone 'Detach?'
wait_for LIVE
keys a
wait_for 'Detach?'
keys y
wait_for 'DETACHED: the target runs on unwatched'
wait_for billing/main
keys r
wait_for 'detached: a attaches again'
keys a
wait_until_gone DETACHED
wait_for LIVE
wait_for billing/main
