#!/bin/bash
# The tracker of openers against a program that does all there is: torture.sh STOPS
here=$(cd "$(dirname "$0")" && pwd)
build=${LOOPSCOPE_BUILD:-$here/../../build}
FD_TORTURE=$build/targets/fd_torture exec "$build/tests/probe_test_fd_track" "${1:-200}"
