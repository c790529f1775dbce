# Sourced by the scripts that make packages of the scanner app: what each of them holds.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=$(realpath "${CARGO_TARGET_DIR:-target}")
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

install_program() {
    local documents=$root/usr/share/doc/eventify-scanner
    install -D -m 755 "$target/${PROFILE:-release}/eventify-scanner" "$root/usr/bin/eventify-scanner"
    strip "$root/usr/bin/eventify-scanner"
    install -D -m 644 scanner-app/package/copyright "$documents/copyright"
    # Fonts, WebAssembly and libraries in the window; crates by name, version and licence.
    install -D -m 644 scanner-app/ui/dist/licences.txt "$documents/window-licences.txt"
    cargo tree --locked --package eventify-scanner --edges normal --prefix none --format '{p} {l}' |
        sed 's/ (.*)//; s/ (\*)$//' | sort --unique >"$documents/crates.txt"
}
