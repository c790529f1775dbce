//! The scanner app's window. Everything that it knows and does is the controller's; here are the window
//! itself, the two commands that its page calls, and this machine's imagers and speaker.

mod imagers;
mod sounds;
mod window;

use std::{io, path::PathBuf};

use anyhow::Context as _;
use clap::Parser;

/// Validates tickets at a gate, against the edge node of the venue.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Folder for pairing, settings and scans that have no verdict yet; made for this user alone
    #[arg(long, value_name = "FOLDER", default_value_os_t = data_folder())]
    data: PathBuf,
    /// Language until another one is set: the code of a message file, such as fr or en
    #[arg(long, value_name = "CODE", default_value = "en")]
    language: String,
    /// A window among others, in the place of the whole screen
    #[arg(long)]
    windowed: bool,
    /// An imager that types, by its path in /dev/input/by-id; the app takes it for itself
    #[arg(long, value_name = "PATH")]
    keyboard: Vec<PathBuf>,
    /// An imager on a serial line, by its path in /dev
    #[arg(long, value_name = "PATH")]
    serial: Vec<PathBuf>,
    /// Of all serial lines
    #[arg(long, default_value_t = eventify_scanner_devices::serial::DEFAULT_BAUD)]
    baud: u32,
}

/// By the XDG base directory specification.
fn data_folder() -> PathBuf {
    let of = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || PathBuf::from(of("HOME").unwrap_or_else(|| ".".into())).join(".local/share");
    of("XDG_DATA_HOME")
        .map_or_else(home, PathBuf::from)
        .join("eventify-scanner")
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .json()
        .with_writer(io::stderr)
        .init();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    window::run(arguments).context("the window can't be opened")
}
