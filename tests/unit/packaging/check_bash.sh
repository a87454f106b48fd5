#!/bin/bash
# The completion is sourced into a bash of its own and asked, word by word.
# usage: check_bash.sh AGENT FOLDER
agent=$1
# shellcheck disable=SC1091
source "$2/loopscope.bash" || exit 1
failed=0 count=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
touch night.lsr other.txt

complete_words() { # WORD... : what the last one may become
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _loopscope
}

fail() { echo "failed: $*"; failed=$((failed + 1)); }

offers() { # WANTED... -- WORD...
    local wanted=() word
    count=$((count + 1))
    while [ "$1" != -- ]; do wanted+=("$1"); shift; done
    shift
    complete_words "$@"
    for word in "${wanted[@]}"; do
        [[ " ${COMPREPLY[*]} " == *" $word "* ]] || fail "'$*' does not offer $word: ${COMPREPLY[*]:0:8}"
    done
}

lacks() { # WORD-NOT-WANTED WORD...
    local not=$1
    shift
    count=$((count + 1))
    complete_words "$@"
    [[ " ${COMPREPLY[*]} " != *" $not "* ]] || fail "'$*' offers $not"
}

only() { # "WORDS" WORD...: exactly these, in any order
    local want=$1
    shift
    count=$((count + 1))
    complete_words "$@"
    [ "$(printf '%s\n' "${COMPREPLY[@]}" | sort | xargs)" = "$(echo "$want" | tr ' ' '\n' | sort | xargs)" ] ||
        fail "'$*' offers '${COMPREPLY[*]}', not '$want'"
}

commands=$("$agent" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
# shellcheck disable=SC2086
offers $commands -- loopscope ""
for command in $commands; do
    options=$("$agent" "$command" --help | sed -n '/options:$/,$p' | grep -oE '^  (-[a-z], )?(--[a-z-]+|-[a-zA-Z])' | tr -d ,)
    [ "$(echo "$options" | wc -w)" -gt 8 ] || fail "$command --help names no options"
    # shellcheck disable=SC2086
    offers $options -- loopscope "$command" -
done
only watch loopscope wat
only "auto bpf proc" loopscope watch --backend ""
only "always auto" loopscope --color = a
only "info warning critical never" loopscope check --fail-on ""
only speedscope loopscope report --format sp
only "text json sarif junit" loopscope lint --format ""
only "new ready running waiting done failed cancelled" loopscope tasks 1 --state ""
only loop-starved loopscope rules loop-star
only night.lsr loopscope diff n
only night.lsr loopscope report nig
lacks other.txt loopscope diff ""
lacks --fail-on loopscope ps -
lacks --listen loopscope watch -
offers loop-blocked.warn= -- loopscope watch -o loop-bl
offers $$ -- loopscope watch ""
offers other.txt -- loopscope watch --config ""
offers printf -- loopscope check -- print
offers other.txt -- loopscope check -- cat oth
only "" loopscope watch --for ""
[ $failed = 0 ] && echo "bash: $count completions as they should be"
exit $((failed > 0))
