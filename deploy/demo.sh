#!/usr/bin/env bash
# `make demo`: says what will happen, installs, compiles, and plays the story.
set -euo pipefail
cd "$(dirname "$0")/.."

cat <<'TEXT'
This demo plays one evening of a venue on real servers, and in the scanner app's window:
60 customers buy tickets, two gates admit guests, the network between gates and core
fails and works again, and both sides compare what happened. It checks each step.

The first run on a new machine takes about 12 minutes on 2 cores, most of it compiling.
Later runs take about two minutes. Ctrl-C stops everything.

TEXT
echo "Step 1 of 3: install servers (PostgreSQL, RabbitMQ, test servers for logins and payments)"
deploy/stack/deps.sh
deploy/stack/install.sh
echo "Step 2 of 3: compile the programs"
deploy/web.sh build
deploy/build.sh --workspace --bin eventify-core --bin eventify-edge --bin eventify-scanner --bin demo
echo "Step 3 of 3: play the story"
exec "${CARGO_TARGET_DIR:-target}/debug/demo"
