# A recording opens at its end; [ ] step through it, p plays.
. "$here/tui/lib.sh"
start 100 30 "$demo --recording"
wait_for 'RECORDED 51.3s of 51.3s'
keys '['
wait_for 'RECORDED 50.3s'
keys ']'
wait_for 'RECORDED 51.3s'
keys ']'
wait_for 'this is the end of the recording'
keys r
wait_for 'this is a recording already'
