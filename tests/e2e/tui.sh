#!/bin/bash
# The dashboard in a real (virtual) terminal: tmux draws, the test reads the screen and presses keys.
# usage: tui.sh [--long] [NAME...]   each NAME is a script of tui/; needs tmux
here=$(cd "$(dirname "$0")" && pwd)
export here LOOPSCOPE_BUILD=${LOOPSCOPE_BUILD:-$here/../../build}
command -v tmux >/dev/null || { echo "skipped: tmux is not installed"; exit 77; }
[ -x "$LOOPSCOPE_BUILD/tests/tui_demo" ] || { echo "failed: tui_demo is not built"; exit 1; }
if [ "${1:-}" = --long ]; then
    export STALLS=10 TRIES=10
    shift
fi
names=("$@")
[ $# -gt 0 ] || for f in "$here"/tui/*.sh; do
    [ "${f##*/}" = lib.sh ] || names+=("$(basename "$f" .sh)")
done
failed=0
for name in "${names[@]}"; do
    out=$(bash "$here/tui/$name.sh" 2>&1)
    case $? in
    0) echo "ok      $name${out:+: $out}" ;;
    77) echo "skipped $name: $out" ;;
    *) failed=$((failed + 1)); echo "FAILED  $name"; printf '%s\n' "$out" | sed 's/^/    /' ;;
    esac
done
exit $((failed > 0))
