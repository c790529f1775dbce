#!/usr/bin/env bash
# `make scanner-package`: the scanner app as a Debian package, in target/packages/. Then unpacks it into a scratch
# root and starts it there once, on a display that nobody sees.
#
# There is no AppImage: its runtime, the program that mounts it, comes from none of the registries that this project
# builds from.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${PROFILE:-release}
target=${CARGO_TARGET_DIR:-target}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
architecture=$(dpkg --print-architecture)
out=$target/packages
package=$out/eventify-scanner_${version}_$architecture.deb
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# What the program is linked to and what WebKit needs for a camera. No sound server: ALSA alone.
depends='libasound2, libgtk-3-0, libwebkit2gtk-4.1-0, gstreamer1.0-plugins-base, gstreamer1.0-plugins-good'

install -D -m 755 "$target/$profile/eventify-scanner" "$root/usr/bin/eventify-scanner"
strip "$root/usr/bin/eventify-scanner"
install -D -m 644 scanner-app/app/icons/icon.svg \
    "$root/usr/share/icons/hicolor/scalable/apps/eventify-scanner.svg"
install -D -m 644 scanner-app/app/icons/icon.png \
    "$root/usr/share/icons/hicolor/128x128/apps/eventify-scanner.png"
install -D -m 644 scanner-app/package/eventify-scanner.desktop \
    "$root/usr/share/applications/eventify-scanner.desktop"
install -D -m 644 scanner-app/package/eventify-scanner.service \
    "$root/usr/lib/systemd/user/eventify-scanner.service"
install -D -m 644 scanner-app/package/copyright "$root/usr/share/doc/eventify-scanner/copyright"
# Fonts, WebAssembly and libraries in the window; crates by name, version and licence.
install -D -m 644 scanner-app/ui/dist/licences.txt "$root/usr/share/doc/eventify-scanner/window-licences.txt"
cargo tree --locked --package eventify-scanner --edges normal --prefix none --format '{p} {l}' |
    sed 's/ (.*)//; s/ (\*)$//' | sort --unique >"$root/usr/share/doc/eventify-scanner/crates.txt"

mkdir -p "$root/DEBIAN" "$out"
cat >"$root/DEBIAN/control" <<CONTROL
Package: eventify-scanner
Version: $version
Architecture: $architecture
Maintainer: Eventify <venue-it@localhost>
Section: misc
Priority: optional
Depends: $depends
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Description: Eventify scanner app for gates
 Validates tickets against the edge node of the venue. Fills the screen, reads
 imagers, shows and sounds each verdict.
CONTROL
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
deploy/scanner-start.sh "$package"
