# Enter goes in, twice; Esc comes back, and never leaves.
. "$here/tui/lib.sh"
start 100 30 "$demo"
wait_for billing/main
keys Enter
wait_for '[2 Loop]'
wait_for 'load_profile'
keys Enter
wait_for 'item'
wait_for 'EVIDENCE'
keys Escape
wait_for 'STALLS BY CULPRIT'
keys Escape
wait_for '[1 Overview]'
keys Escape
keys Escape
wait_for '[1 Overview]'
keys q
wait_for 'status=0'
