//! The edge node's program. Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage, 74
//! journal or replica could not be written (start it again; if that does not help, the disk is full or
//! failing), 78 a setting is wrong.

use std::process::ExitCode;

use clap::Parser as _;
use eventify_edge::cli::{self, Arguments};

fn main() -> ExitCode {
    // Before any use of TLS. It fails only if it was called before.
    drop(rustls::crypto::ring::default_provider().install_default());
    cli::main(Arguments::parse())
}
