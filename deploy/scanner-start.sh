#!/usr/bin/env bash
# Unpacks a package of the scanner app into a scratch root, checks that what it depends on is all that its program
# is linked to, and starts it on a display that nobody sees until it has opened its window.
set -euo pipefail

root=$(mktemp -d)
started=()
finish() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait
    rm -rf "$root"
}
trap finish EXIT
dpkg-deb --extract "$1" "$root/installed"
program=$root/installed/usr/bin/eventify-scanner

if ldd "$program" | grep 'not found'; then
    echo "the program needs libraries that are not here" >&2
    exit 1
fi

mkfifo "$root/display"
Xvfb -displayfd 3 -nolisten tcp -screen 0 540x960x24 3>"$root/display" 2>/dev/null &
started+=($!)
read -r number <"$root/display"
mkdir "$root/home"
HOME=$root/home XDG_RUNTIME_DIR=$root/home DISPLAY=:$number LIBGL_ALWAYS_SOFTWARE=1 "$program" 2>"$root/log" &
started+=($!)
for _ in {1..600}; do
    if DISPLAY=:$number xdotool search --onlyvisible --name '^Eventify$' >/dev/null 2>&1 &&
        grep -q 'scanner.started' "$root/log"; then
        echo "  started from its package, with its window"
        exit 0
    fi
    kill -0 "${started[1]}" 2>/dev/null || break
    sleep 0.1
done
echo "it has not opened its window:" >&2
cat "$root/log" >&2
exit 1
