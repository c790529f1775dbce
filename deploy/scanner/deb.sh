#!/usr/bin/env bash
# `make scanner-package`: the scanner app as a Debian package, in target/packages/. Then unpacks it into a scratch
# root and starts it there once, on a display that nobody sees.
set -euo pipefail
. "$(dirname "$0")/program.sh"

architecture=$(dpkg --print-architecture)
package=$target/packages/eventify-scanner_${version}_$architecture.deb

# What the program is linked to and what WebKit needs for a camera. No sound server: ALSA alone.
depends='libasound2, libgtk-3-0, libwebkit2gtk-4.1-0, gstreamer1.0-plugins-base, gstreamer1.0-plugins-good'

install_program
install -D -m 644 scanner-app/app/icons/icon.svg \
    "$root/usr/share/icons/hicolor/scalable/apps/eventify-scanner.svg"
install -D -m 644 scanner-app/app/icons/icon.png \
    "$root/usr/share/icons/hicolor/128x128/apps/eventify-scanner.png"
install -D -m 644 scanner-app/package/eventify-scanner.desktop \
    "$root/usr/share/applications/eventify-scanner.desktop"
install -D -m 644 scanner-app/package/eventify-scanner.service \
    "$root/usr/lib/systemd/user/eventify-scanner.service"

mkdir -p "$root/DEBIAN" "$target/packages"
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

dpkg-deb --extract "$package" "$work/installed"
deploy/scanner/start.sh "$work/installed/usr/bin/eventify-scanner"
