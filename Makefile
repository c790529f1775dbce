# Everything that a newcomer types. Each target installs what it needs: Debian packages through apt
# where they are missing, the other servers' packages into folders of the project's own.

# make sim SEEDS=20000 FROM=7
SEEDS ?= 2000
FROM ?= 0
# make bench ROW=degraded
ROW ?=

# Programs are built for the whole workspace and then started from where Cargo put them: `cargo run`
# for one package would choose other features of the libraries and compile them all again.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help demo test lint bench up sim deps

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: deps ## the main job, end to end, on real servers; its evidence goes to target/demo/
	cargo build --workspace --bins
	$(TARGET)/debug/demo

test: deps ## all tests, beside one set of private servers
	cargo test --workspace --no-run
	$(TARGET)/debug/eventify-stack run -- cargo test --workspace

lint: deps ## format and lints; warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

bench: deps ## the budgets, each with its ratio to the limit measured in the same run
	cargo build --release --workspace --bins
	$(TARGET)/release/bench $(addprefix --row ,$(ROW))

up: deps ## servers, core and edges stay up for hand use; prints addresses and logins
	cargo build --workspace --bins
	$(TARGET)/debug/up

sim: ## the sync simulator over SEEDS seeds beginning with FROM
	EVENTIFY_SIM_SEEDS=$(SEEDS) EVENTIFY_SIM_FROM=$(FROM) \
		cargo test --package eventify-sync --test it sim:: -- --nocapture

deps: ## what the other targets need; at once when it is there
	@deploy/stack/deps.sh
	@deploy/stack/install.sh
