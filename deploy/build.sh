#!/usr/bin/env bash
# Runs `cargo build` with these arguments, and shows how many crates are compiled.
set -euo pipefail

total=$(cargo tree --locked --workspace --edges normal,build --prefix none --format '{p}' 2>/dev/null |
    sort --unique | wc --lines)
terminal=0
[[ -t 1 ]] && terminal=1
cargo build --locked "$@" 2>&1 | {
    compiled=0
    while IFS= read -r line; do
        case "$line" in
        ' '*' Compiling '*)
            compiled=$((compiled + 1))
            if ((terminal)); then
                crate=${line##* Compiling }
                printf '\r  compiling crate %d of about %d: %-40.40s' "$compiled" "$total" "${crate%% *}"
            elif ((compiled % 50 == 0)); then
                echo "  compiling crate $compiled of about $total"
            fi
            ;;
        ' '*' Downloading '* | ' '*' Downloaded '* | ' '*' Updating '* | ' '*' Finished '*) ;;
        *) echo "$line" ;;
        esac
    done
    if ((terminal)); then printf '\r%-90s\r' ''; fi
    echo "  compiled $compiled crates"
}
