# Stalls of 500 ms in a Node program are on the screen, with their JavaScript function, before they end: the
# first one and those after it, which belong to the same finding. The program's own log is the truth.
# Short: two of at most twelve, whatever else the machine does. Long (STALLS=10): ten of ten.
. "$here/tui/lib.sh"
stalls=${STALLS:-2} tries=${TRIES:-12}
command -v node >/dev/null || { echo "node is not installed"; exit 77; }
[ -x "$agent" ] || { echo "loopscope is not built"; exit 77; }
"$agent" doctor >/dev/null 2>&1 || { echo "nothing can be watched here"; exit 77; }
cat >"$home/stall.js" <<'JS'
const fs = require('fs');
function renderInvoice(ms) {
    const end = Date.now() + ms;
    while (Date.now() < end) ;
}
setInterval(() => {
    fs.writeSync(1, `begin ${Date.now()}\n`);
    renderInvoice(500);
    fs.writeSync(1, 'end\n');
}, 1500);
JS
node "$home/stall.js" >"$home/log" &
target=$!
start 100 30 "$agent top $target"
wait_for 'Blocked now' 20
seen=$(python3 "$here/tui/seen.py" "$socket" "$home/log" "$stalls" "$tries" 2>&1) || fail "$seen"
kill $target
echo "$seen"
keys q
wait_for 'status=0' 10
