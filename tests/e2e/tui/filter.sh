# A filter acts while it is typed, stays in sight, and Esc removes it; search only moves.
. "$here/tui/lib.sh"
start 100 30 "$demo"
wait_for redis-server
keys '\' redis
wait_until_gone gateway/main
keys Enter
wait_for 'filter: redis'
wait_for '1 of 5 rows'
keys Escape
wait_for gateway/main
keys / nosuchthing
wait_for 'nothing holds'
