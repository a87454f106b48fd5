# A stall of 500 ms in a Node program is on the screen, with its JavaScript function, before it ends.
. "$here/tui/lib.sh"
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
    fs.writeSync(1, 'begin\n');
    renderInvoice(500);
    fs.writeSync(1, 'end\n');
}, 2500);
JS
node "$home/stall.js" >"$home/log" &
target=$!
start 100 30 "$agent top $target"
shown=0
for ((i = 0; i < 400 && shown == 0; i++)); do
    if screen | grep -q 'has been inside one turn.*' && screen | grep -q 'renderInvoice'; then
        # What is on the screen was there before the stall ended if the log says it still lasts.
        [ "$(grep -c begin "$home/log")" -gt "$(grep -c end "$home/log")" ] && shown=1
    fi
    sleep 0.02
done
kill $target
[ $shown = 1 ] || fail "no stall was seen while it lasted"
keys q
wait_for 'status=0'
