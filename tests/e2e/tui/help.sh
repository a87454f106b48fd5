# ? shows the keys of this view; typing narrows them; ? closes.
. "$here/tui/lib.sh"
start 100 30 "$demo"
wait_for billing/main
keys '?'
wait_for 'Keys: Overview'
keys sort
wait_for 'sort by'
wait_until_gone 'next row'
keys '?'
wait_until_gone 'Keys: Overview'
