# c copies a finding as text; e writes a report whose format the name tells.
. "$here/tui/lib.sh"
start 100 30 "cd $home; $demo"
wait_for billing/main
keys 5
wait_for 'EVIDENCE'
keys c
wait_for 'copied to the clipboard'
grep -q '^EVIDENCE .*the loop has not polled' "$home/state/loopscope/copied.txt" || fail "no text was kept"
keys e
wait_for 'export to'
keys C-u report.json Enter
wait_for 'exported to report.json (json)'
grep -q '"schema"' "$home/report.json" || fail "no JSON was written"
keys e
wait_for 'export to'
keys C-u report.xyz Enter
wait_for 'the name must tell the format'
