# Clicks on a tab, a row, a header and the key bar.
. "$here/tui/lib.sh"
click() { # COLUMN ROW, counted from 1, in the X10 encoding of this terminal type
    local at="\\$(printf %03o $(($1 + 32)))\\$(printf %03o $(($2 + 32)))"
    keys -l "$(printf "\\033[M $at\\033[M#$at")" # pressed, released
}
start 100 30 "$demo"
wait_for billing/main
click 47 2
wait_for '[5 Findings]'
click 2 30
wait_for 'Keys: Findings'
keys Escape
wait_until_gone 'Keys: Findings'
click 3 2
wait_for '[1 Overview]'
click 25 10
wait_for 'sort: PID'
click 25 10
wait_for 'sort: PID inverted'
