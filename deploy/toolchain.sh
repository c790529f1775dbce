#!/usr/bin/env bash
# Ends with one line that says what to install if there is no Rust toolchain, or an old one.
set -euo pipefail

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml")
install="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"
command -v curl >/dev/null || install="sudo apt-get install --yes curl && $install"
found=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || found=
if [[ -z "$found" ]] || ! command -v cargo >/dev/null; then
    echo "Rust $wanted or newer is missing (https://rustup.rs); install it with: $install" >&2
    exit 1
elif ! printf '%s\n' "$wanted" "${found%%-*}" | sort --version-sort --check=quiet; then
    command -v rustup >/dev/null && install="rustup update stable && rustup default stable"
    echo "Rust $found is too old, $wanted or newer is needed (https://rustup.rs); install it with: $install" >&2
    exit 1
fi
