#!/bin/bash
# Runs each example and looks at what it prints: examples.sh BUILD-FOLDER
cd "$1/examples" || exit 1
scratch=$(mktemp -d)
failed=0

say() { # what it is, whether it holds
    if [ "$2" = 0 ]; then echo "ok $1"; else echo "FAILED $1"; failed=1; fi
}

# echo_server: bytes come back, SIGTERM ends it with 0
./echo_server >"$scratch/echo" & server=$!
for _ in $(seq 50); do grep -q listening "$scratch/echo" && break; sleep 0.1; done
port=$(sed 's/.*://' "$scratch/echo")
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'hello\nworld\n' >&3
read -r -t 5 one <&3; read -r -t 5 two <&3
[ "$one $two" = "hello world" ]; say "echo_server echoes" $?
kill -TERM $server; wait $server; say "echo_server ends on SIGTERM" $?
exec 3>&-

# the user requests, against the local server
mkfifo "$scratch/in"
./user_server <"$scratch/in" >"$scratch/port" & server=$!
exec 4>"$scratch/in"
for _ in $(seq 50); do [ -s "$scratch/port" ] && break; sleep 0.1; done
port=$(cat "$scratch/port")
./http_fetch -t 10 "http://127.0.0.1:$port/users/1/profile" "http://localhost:$port/users/2/orders" >"$scratch/fetch"
say "http_fetch fetches" $?
[ "$(grep -c ': 200, ' "$scratch/fetch")" = 2 ]; say "http_fetch tells both" $?
# One is never answered, and only that one may run into its limit: on a machine too slow for the others, a longer limit.
fetch_with_limit() {
    ./http_fetch -t "$1" "http://127.0.0.1:$port/users/17/profile" "http://127.0.0.1:1/" "http://127.0.0.1:$port/users/1/profile" >"$scratch/fetch"
    [ $? = 1 ] && [ "$(sed -n 's/.*timed out after \([0-9]*\) ms.*/\1/p' "$scratch/fetch")" -ge "${1}000" ] &&
        grep -q refused "$scratch/fetch" && [ "$(grep -c ': 200, ' "$scratch/fetch")" = 1 ]
}
fetch_with_limit 1 || fetch_with_limit 5 || fetch_with_limit 20; say "http_fetch bounds each and goes on" $?

./user_requests_wrong "$port" 6 >"$scratch/wrong"; say "user_requests_wrong runs" $?
skips_two_users() {
    ./user_requests_right "$port" 20 "$1" >"$scratch/right" 2>"$scratch/log" &&
        grep -q '20 users in .* 2 skipped' "$scratch/right" && [ "$(grep -c 'user skipped' "$scratch/log")" = 2 ] &&
        grep -q '"user":17,"error":"ETIMEDOUT"' "$scratch/log"
}
skips_two_users 1 || skips_two_users 5; say "a failed user is logged and skipped" $?
[ "$(grep -c '^user' "$scratch/wrong")" = 6 ] && [ "$(grep '^user [1-6]:' "$scratch/right" | sort)" = "$(grep '^user' "$scratch/wrong" | sort)" ]; say "both compute the same" $?
beats() { sed -n 's/.*heartbeats: //p' "$1"; }
[ "$(beats "$scratch/right")" -ge $((5 * ($(beats "$scratch/wrong") + 1))) ]; say "the right one leaves its loop free" $?
exec 4>&-; wait $server; say "user_server ends with its input" $?

[ "$(./embed | tr '\n' ' ')" = "answer 1: found answer 2: found answer 3: found tasks closed " ]; say "embed" $?
[ "$(./pipeline)" = "40 packed, 36 billed (1052.00), 4 not billed (Connection refused), 80 messages seen" ]; say "pipeline" $?

rm -r "$scratch"
exit $failed
