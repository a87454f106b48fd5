# What the scripts of this folder share. Everything that could change a screen is pinned.
set -u
demo=$LOOPSCOPE_BUILD/tests/tui_demo
agent=${LOOPSCOPE:-$LOOPSCOPE_BUILD/loopscope}
home=$(mktemp -d)
socket=loopscope-$$
term=${term:-tmux-256color}

mux() { tmux -L "$socket" -f /dev/null "$@"; }
# A server takes a moment to go: the next one gets a socket of its own.
stop() {
    mux kill-server
    socket=$socket.
}
# Also what a script that failed has left running; and a dashboard that loses its terminal still writes
# down its settings.
clean_up() {
    local i
    mux kill-server 2>/dev/null
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null
    wait 2>/dev/null
    for ((i = 0; i < 50; i++)); do
        rm -rf "$home" 2>/dev/null && return
        sleep 0.1
    done
}
trap clean_up EXIT

# start COLS ROWS COMMAND...: a shell in a terminal, which runs the command and then shows its status.
start() {
    local cols=$1 rows=$2
    shift 2
    mux new-session -d -x "$cols" -y "$rows" \
        "env -i PATH='$PATH' HOME='$home' LANG=C.UTF-8 TZ=UTC TERM=$term PS1='ready> ' \
         XDG_STATE_HOME='$home/state' XDG_CONFIG_HOME='$home/config' bash --norc --noprofile -i"
    wait_for 'ready>'
    keys "$*; echo status=\$?" Enter
}

screen() { mux capture-pane -p "$@"; }
keys() { mux send-keys "$@"; }

fail() {
    echo "$*"
    echo "the screen is:"
    screen 2>/dev/null
    exit 1
}

# wait_for TEXT [SECONDS]: polls, never sleeps longer than it must.
wait_for() {
    local i
    for ((i = 0; i < ${2:-20} * 20; i++)); do
        screen 2>/dev/null | grep -qF -- "$1" && return 0
        sleep 0.05
    done
    fail "did not appear: $1"
}

wait_until_gone() {
    local i
    for ((i = 0; i < ${2:-20} * 20; i++)); do
        screen | grep -qF -- "$1" || return 0
        sleep 0.05
    done
    fail "did not go: $1"
}

# wait_until_changed TEXT: the first line, which has the time of the picture, is no longer TEXT.
wait_until_changed() {
    local i
    for ((i = 0; i < 400; i++)); do
        [ "$(screen | head -n 1)" != "$1" ] && return 0
        sleep 0.05
    done
    fail "it still shows the time of: $1"
}

# The process that runs in the terminal, below its shell.
pid_of_demo() { pgrep -P "$(mux list-panes -F '#{pane_pid}')" -f "${1:-tui_demo}" | head -n 1; }
