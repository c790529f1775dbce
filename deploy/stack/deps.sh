#!/usr/bin/env bash
# Installs the Debian packages that the product's real servers come in, and only those that are
# missing. The packages' own system services are left as the distribution makes them: our private
# instances use other ports and folders.
set -euo pipefail

packages=(build-essential pkg-config postgresql rabbitmq-server python3 python3-venv util-linux)
missing=()
for package in "${packages[@]}"; do
    [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
        missing+=("$package")
done
if ((${#missing[@]})); then
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    echo "installing from Debian: ${missing[*]}" >&2
    "${as_root[@]}" apt-get update --quiet=2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
fi
