//! The servers that Debian doesn't have, installed into this crate's folder by `install.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Result;
use crate::process::run_to_end;

/// This crate's folder when it was compiled.
const HOME: &str = env!("CARGO_MANIFEST_DIR");

/// Installs what is missing.
pub(crate) async fn install() -> Result<()> {
    let script = home().join("install.sh");
    run_to_end(
        Command::new(script),
        "installing the development servers' packages",
    )
    .await
}

pub(crate) fn home() -> &'static Path {
    Path::new(HOME)
}

pub(crate) fn python() -> PathBuf {
    home().join(".venv/bin/python")
}

pub(crate) fn node() -> PathBuf {
    home().join(".venv/bin/node")
}
