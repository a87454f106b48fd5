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
now_in() { # the number of the stall that lasts now, by the log; 0: none
    local begun ended
    begun=$(grep -c begin "$home/log") ended=$(grep -c end "$home/log")
    echo $((begun > ended ? begun : 0))
}
seen=0 newest=0 first=$(($(grep -c begin "$home/log") + 1)) delays="" cleared=1
while [ "$seen" -lt "$stalls" ] && [ "$(grep -c begin "$home/log")" -lt $((first + tries)) ]; do
    before=$(now_in)
    shot=$(screen)
    at=$(date +%s%3N)
    after=$(now_in)
    if ! grep -q 'has been inside one turn' <<<"$shot"; then
        cleared=1 # what is shown from now on is of a new stall
    elif [ $cleared = 1 ] && [ "$before" = "$after" ] && [ "$after" -gt $newest ] &&
        [ "$after" -ge "$first" ] && grep -q '^ *renderInvoice' <<<"$shot"; then
        seen=$((seen + 1)) newest=$after cleared=0
        began=$(grep begin "$home/log" | sed -n "${after}s/begin //p")
        delays+=" $((at - began))"
    fi
    sleep 0.01
done
kill $target
[ "$seen" -ge "$stalls" ] || fail "seen while they lasted: $seen of $(($(grep -c begin "$home/log") - first + 1)), wanted $stalls"
echo "$seen stalls of 500 ms were on the screen while they lasted, after (ms):$delays"
keys q
wait_for 'status=0' 10
