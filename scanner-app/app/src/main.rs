//! The scanner app's window. Everything that it knows and does is the controller's; here are the window
//! itself, the two commands that its page calls, and this machine's imagers and speaker.

mod awake;
mod imagers;
mod keys;
mod kiosk;
mod sounds;
mod start;
mod window;

use std::{io, path::PathBuf, process::ExitCode};

use clap::Parser;

use self::start::{Failure, OnlyInstance};

/// Validates tickets at a gate, against the edge node of the venue.
///
/// Fills the screen, and is left by the PIN alone, once one is set. One program works with a data folder at a
/// time. Exit codes: 2 wrong argument, 69 no display, 70 no window, 73 the data folder can't be used, 75 another
/// one works with it.
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

#[expect(
    clippy::print_stderr,
    reason = "a program that can't start says so to whoever started it"
)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .json()
        .with_writer(io::stderr)
        .init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("eventify-scanner: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| Failure::Window("another TLS provider is installed".to_owned()))?;
    let _only = OnlyInstance::of(&arguments.data)?;
    start::find_display()?;
    window::run(arguments).map_err(|error| Failure::Window(error.to_string()))
}
