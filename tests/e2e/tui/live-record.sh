# Recorded from within the dashboard, then looked at again: same process, same finding, step by step.
. "$here/tui/lib.sh"
command -v node >/dev/null || { echo "node is not installed"; exit 77; }
[ -x "$agent" ] || { echo "loopscope is not built"; exit 77; }
"$agent" doctor >/dev/null 2>&1 || { echo "nothing can be watched here"; exit 77; }
cat >"$home/stall.js" <<'JS'
function renderInvoice(ms) {
    const end = Date.now() + ms;
    while (Date.now() < end) ;
}
setInterval(() => renderInvoice(300), 1500);
JS
node "$home/stall.js" &
target=$!
start 100 30 "cd $home; $agent top $target"
wait_for WAITING 30
keys F8
wait_for 'record to:'
keys C-u run.lsr Enter
wait_for 'recording to run.lsr'
keys 5
wait_for renderInvoice 60
keys q
wait_for 'A recording is running'
keys y
wait_for 'status=0'
kill $target
keys "$agent top run.lsr" Enter
wait_for RECORDED
wait_for 'node'
keys 5
wait_for renderInvoice
at=$(screen | head -n 1)
keys '['
wait_until_changed "$at"
exit 0
