#!/usr/bin/env bash
# `make scanner-dev`: the page, with each change of its files at once, and the app behind it; whichever ends first, or
# Ctrl-C, ends the other.
set -euo pipefail
cd "$(dirname "$0")/.."

started=()
finish() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait
}
trap finish EXIT
trap 'exit 0' INT TERM

deploy/web.sh dev </dev/null &
started+=($!)
# Jobs in the background have no input of their own.
"${CARGO_TARGET_DIR:-target}/debug/eventify-scanner-dev" "$@" <&0 &
started+=($!)
wait -n
