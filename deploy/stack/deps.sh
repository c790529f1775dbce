#!/usr/bin/env bash
# Installs the Debian packages with the servers, and with what the scanner app's window is built from and
# tested in; only those that are missing. The packages' own system services stay as the distribution makes
# them: our private servers use other ports and folders.
set -euo pipefail

packages=(build-essential pkg-config curl jq postgresql rabbitmq-server python3 python3-venv util-linux
    libwebkit2gtk-4.1-dev librsvg2-dev libasound2-dev xvfb webkit2gtk-driver
    xdotool x11-xkb-utils chromium file desktop-file-utils)
if ! command -v apt-get >/dev/null; then
    echo "this is not Debian: install these packages by hand, then run the command again: ${packages[*]}" >&2
    exit 1
fi
missing=()
for package in "${packages[@]}"; do
    [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
        missing+=("$package")
done
if ((${#missing[@]})); then
    as_root=()
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "Debian packages are missing; install them as root with: apt-get install ${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "  installing Debian packages: ${missing[*]}" >&2
    "${as_root[@]}" apt-get update --quiet=2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
fi
