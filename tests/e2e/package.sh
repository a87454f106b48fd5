#!/bin/bash
# The Debian package: made, looked at, unpacked and used; with LOOPSCOPE_BARE_ROOT (a Debian 12 root with
# nothing but its base) also installed there by apt, used, and removed again.
# usage: package.sh
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${LOOPSCOPE_BUILD:-$here/../../build}")
tmp=$(mktemp -d) failed=0 target=""
clean_up() { [ -z "$target" ] || kill "$target" 2>/dev/null; wait 2>/dev/null; rm -rf "$tmp"; }
trap clean_up EXIT
fail() { echo "  failed: $*"; failed=1; }
for tool in cpack dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
[ -f "$build/CPackConfig.cmake" ] || { echo "skipped: $build was not configured by cmake"; exit 77; }

cpack --config "$build/CPackConfig.cmake" -G DEB -B "$tmp/pack" >"$tmp/log" 2>&1 ||
    { tail -n 5 "$tmp/log"; echo "failed: cpack"; exit 1; }
deb=$(echo "$tmp"/pack/loopscope_*.deb) dev=$(echo "$tmp"/pack/libloopscope-dev_*.deb)
[ -f "$deb" ] && [ -f "$dev" ] || { echo "failed: cpack made $(ls "$tmp/pack")"; exit 1; }
depends=$(dpkg-deb -f "$deb" Depends)
for library in libuv1 libbpf1 libdw1 libelf1 libseccomp2 libcap-ng0 libsqlite3-0 libmicrohttpd12 libc6; do
    [[ ", $depends" == *", $library"* ]] || fail "does not depend on $library: $depends"
done
dpkg-deb -x "$deb" "$tmp/root"
for file in usr/bin/loopscope usr/share/man/man1/loopscope.1 usr/share/man/man1/loopscope-watch.1 \
    usr/lib/systemd/system/loopscope.service usr/share/zsh/site-functions/_loopscope \
    usr/share/bash-completion/completions/loopscope; do
    [ -s "$tmp/root/$file" ] || fail "$file is missing"
done

[ ! -e "$tmp/root/usr/include" ] || fail "headers are in the program's package"

# A program is built with the other package alone.
dpkg-deb -x "$dev" "$tmp/dev"
cat >"$tmp/hello.c" <<'C'
#include <loopscope/loopscope.h>
static int64_t run(void *arg)
{
    return ls_sleep(LS_MSEC(1)) == 0 ? *(int *)arg : -1;
}
int main(void)
{
    int value = 7;
    return ls_run(run, &value) == 7 ? 0 : 1;
}
C
library=$(find "$tmp/dev/usr" -name libloopscope.a)
cc -I "$tmp/dev/usr/include" -o "$tmp/hello" "$tmp/hello.c" "$library" -luv -lpthread >"$tmp/cc.log" 2>&1 && "$tmp/hello" ||
    fail "with $(basename "$dev"): $(head -n 3 "$tmp/cc.log")"

# Python and asyncio are what a machine without anything else can run.
cat >"$tmp/stall.py" <<'PYTHON'
import asyncio
import time


def crunch():
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass


async def main():
    while True:
        await asyncio.sleep(0.5)
        crunch()

asyncio.run(main())
PYTHON
python=/usr/bin/python3
[ -x $python ] || python=python3
$python "$tmp/stall.py" &
target=$!
sleep 0.5
"$tmp/root/usr/bin/loopscope" check $target --for 4s >"$tmp/out" 2>&1
rc=$?
{ [ $rc = 1 ] && grep -q crunch "$tmp/out"; } ||
    fail "the unpacked program does not name crunch (status $rc): $(head -n 3 "$tmp/out")"

in_root() { # COMMAND: in the bare root, with its own /proc, /sys and /dev
    # shellcheck disable=SC2016
    unshare -m bash -c 'mount --make-rprivate / && mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" &&
        mount --rbind /dev "$0/dev" && cp /etc/resolv.conf "$0/etc/resolv.conf"
        exec chroot "$0" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -c "$1"' \
        "$root" "$1"
}
root=${LOOPSCOPE_BARE_ROOT:-}
if [ -n "$root" ]; then
    cp "$deb" "$root/root/loopscope.deb"
    cp "$tmp/stall.py" "$root/root/stall.py"
    # shellcheck disable=SC2016
    in_root 'apt-get -qq update && apt-get -qq -y --no-install-recommends install /root/loopscope.deb python3 &&
        { loopscope doctor || loopscope doctor; } && { python3 /root/stall.py & p=$!; sleep 1; loopscope check $p --for 4s; rc=$?; kill $p; [ $rc = 1 ]; }' \
        >"$tmp/bare" 2>&1 || fail "in the bare root: $(tail -n 3 "$tmp/bare")"
    grep -q crunch "$tmp/bare" || fail "in the bare root crunch was not named"
    in_root 'apt-get -qq -y purge loopscope; [ ! -e /usr/bin/loopscope ] && [ ! -e /usr/share/man/man1/loopscope.1 ]' \
        >"$tmp/purge" 2>&1 || fail "removing it left files: $(tail -n 3 "$tmp/purge")"
fi
[ $failed = 0 ] && echo "the package depends on: $depends"
exit $failed
