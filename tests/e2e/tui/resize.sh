# Every size works: the columns go by rank, then one sentence, and all comes back.
. "$here/tui/lib.sh"
start 100 30 "$demo"
wait_for 'LAG p50'
mux resize-window -x 60 -y 15
wait_until_gone 'LAG p50'
wait_for 'F10Quit'
mux resize-window -x 50 -y 10
wait_for 'loopscope needs 60x15, this is 50x10.'
mux resize-window -x 160 -y 50
wait_for 'LAG p50'
wait_for 'turns estimated'
mux resize-window -x 100 -y 30
wait_for 'billing/main has been inside one turn'
