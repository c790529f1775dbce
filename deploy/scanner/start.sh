#!/usr/bin/env bash
# start.sh PROGRAM [FOLDER]: starts the scanner app on a display that nobody sees until it has opened its window.
# With a folder, checks that its processes run what that folder holds, and nothing of the system's WebKit.
set -euo pipefail

program=$1 folder=${2:-}
scratch=$(mktemp -d)
started=()
finish() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait
    rm -rf "$scratch"
}
trap finish EXIT

if file --brief "$program" | grep --quiet ELF && ldd "$program" | grep 'not found'; then
    echo "the program needs libraries that are not here" >&2
    exit 1
fi

mkfifo "$scratch/display"
# Without a client it would begin anew, and turn away who comes meanwhile: hence `-noreset`.
Xvfb -displayfd 3 -noreset -nolisten tcp -screen 0 540x960x24 3>"$scratch/display" 2>/dev/null &
started+=($!)
read -r number <"$scratch/display"
mkdir "$scratch/home"
HOME=$scratch/home XDG_RUNTIME_DIR=$scratch/home DISPLAY=:$number LIBGL_ALWAYS_SOFTWARE=1 \
    "$program" 2>"$scratch/log" &
app=$!
started+=("$app")

# The app and WebKit's processes.
processes() {
    echo "$app"
    tr ' ' '\n' <"/proc/$app/task/$app/children"
}
is_shown() {
    DISPLAY=:$number xdotool search --onlyvisible --name '^Eventify$' >/dev/null 2>&1 &&
        grep --quiet 'scanner.started' "$scratch/log" && (($(processes | wc --words) >= 3))
}
for _ in {1..600}; do
    if is_shown; then
        for process in $(processes); do
            if [[ -n $folder ]] && grep -F libwebkit2gtk "/proc/$process/maps" | grep --invert-match -F " $folder/"; then
                echo "process $process uses the system's WebKit" >&2
                exit 1
            fi
        done
        echo "  started from its package, with its window"
        exit 0
    fi
    kill -0 "$app" 2>/dev/null || break
    sleep 0.1
done
echo "it has not opened its window:" >&2
cat "$scratch/log" >&2
exit 1
