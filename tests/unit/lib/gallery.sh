#!/bin/bash
# Each exhibit of the gallery runs until it is killed, wrong and cured: gallery.sh GALLERY
gallery=$1
failed=0 pids=() names=()
while IFS=$'\t' read -r name text; do
    [ -n "$text" ] || { echo "FAILED $name has no description"; failed=1; }
    for way in "" --cured; do
        "$gallery" "$name" $way >/dev/null 2>&1 &
        pids+=($!) names+=("$name $way")
    done
done < <("$gallery" --list)
[ ${#pids[@]} -ge 36 ] || { echo "FAILED only ${#pids[@]} programs"; failed=1; }
sleep 2
for i in "${!pids[@]}"; do
    if kill "${pids[$i]}" 2>/dev/null; then
        wait "${pids[$i]}" 2>/dev/null
        echo "ok ${names[$i]}"
    else
        wait "${pids[$i]}"
        echo "FAILED ${names[$i]} ended by itself with $?"
        failed=1
    fi
done
"$gallery" no-such-exhibit 2>/dev/null
[ $? = 2 ] || { echo "FAILED an unknown name is not refused"; failed=1; }
exit $failed
