# z zooms the chart, d tells of the rule, braille and colours are switched in the setup and remembered.
. "$here/tui/lib.sh"
braille() { screen | grep -cP '[\x{2801}-\x{28ff}]'; }
colours() { screen -e | grep -cP '\e\[[0-9;]*(3[0-7]|38;5)[0-9;]*m'; }
export LC_ALL=C.UTF-8
start 100 30 "$demo"
wait_for 'last 60 s'
keys z
wait_for 'last 10 min'
keys z
wait_for 'last 15 s'
keys z
wait_for 'last 60 s'
keys 5 d
wait_for MEANS
wait_for 'loopscope rules loop-'
keys Escape 1
wait_for '[1 Overview]'
[ "$(braille)" = 0 ] || fail "braille before it was asked for"
keys S j Space
wait_for '[x] braille'
keys j Space
wait_for '[ ] colours'
keys Escape
wait_until_gone '[ ] colours'
[ "$(braille)" -gt 0 ] || fail "no braille"
[ "$(colours)" = 0 ] || fail "colours in spite of the setup"
keys q
wait_for 'status=0'
stop
start 100 30 "$demo"
wait_for billing/main
[ "$(braille)" -gt 0 ] || fail "braille was not remembered"
[ "$(colours)" = 0 ] || fail "the colours were not remembered"
