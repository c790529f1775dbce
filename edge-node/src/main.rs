//! The edge node's program. Exit codes: 0 done, 1 not done (the message says why), 2 wrong usage, 74
//! journal or replica could not be written (start again; if it stays, the disk is full or failing),
//! 78 a setting is wrong.

use std::process::ExitCode;

use clap::Parser as _;
use eventify_edge::cli::{self, Arguments};

fn main() -> ExitCode {
    // Before any TLS is thought of; a second call would be the error, and there is none.
    drop(rustls::crypto::ring::default_provider().install_default());
    cli::main(Arguments::parse())
}
