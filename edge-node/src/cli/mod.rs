//! The commands. `status` and `pair` ask the running node over its control socket; `status` falls
//! back to reading the files when none runs. `export-journal` and `doctor` only read, and work beside
//! a running node.

mod doctor;
mod enrol;
mod export;
mod pair;
mod run;
mod status;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use eventify_protocol::ids::GateId;

use crate::config::{Config, ConfigError};

/// A setting is wrong (`EX_CONFIG`).
const EXIT_CONFIG: u8 = 78;
/// Journal or replica could not be written (`EX_IOERR`).
const EXIT_DISK: u8 = 74;

/// The Eventify edge node: decides who may enter, also while the line is down.
#[derive(Debug, Parser)]
#[command(name = "eventify-edge", version)]
pub struct Arguments {
    /// Settings (TOML). `eventify-edge settings` shows all of them with their defaults.
    #[arg(long, short, global = true, env = "EVENTIFY_EDGE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the node until it is told to stop.
    Run,
    /// Joins a venue with the code that the core answers to `POST /fleet/nodes`.
    Enrol {
        /// The code, `evn1.…`.
        code: String,
    },
    /// Shows how the node is.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes the journal as JSON lines, checking its chain.
    ExportJournal {
        /// Into this file, which must not be there yet; else to standard output.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Replaces the file if it is there.
        #[arg(long, requires = "out")]
        force: bool,
    },
    /// Checks everything that the node needs.
    Doctor,
    /// Shows a one-time code that pairs a scanner.
    Pair {
        /// A gate that the scanner may scan for; again for more. Else all gates of the node.
        #[arg(long = "gate")]
        gates: Vec<GateId>,
    },
    /// Shows all settings with their defaults.
    Settings,
}

/// Runs a command.
#[must_use]
pub fn main(arguments: Arguments) -> ExitCode {
    match execute(arguments) {
        Ok(code) => code,
        Err(error) => {
            // Nowhere left to say that nothing can be said.
            drop(writeln!(io::stderr(), "eventify-edge: {error:#}"));
            let is_config = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if is_config { EXIT_CONFIG } else { 1 })
        }
    }
}

fn execute(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { config, command } = arguments;
    let mut output = io::stdout().lock();
    if matches!(command, Command::Settings) {
        output.write_all(crate::config::DEFAULTS.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(config.as_deref(), eventify_settings::environment())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Run => {
            drop(output);
            run::run(&runtime, &config)
        }
        Command::Enrol { code } => runtime.block_on(enrol::enrol(&config, &code, &mut output)),
        Command::Status { json } => runtime.block_on(status::status(&config, json, &mut output)),
        Command::ExportJournal { out, force } => {
            export::export(&config, out.as_deref(), force, &mut output)
        }
        Command::Doctor => runtime.block_on(doctor::doctor(&config, &mut output)),
        Command::Pair { gates } => runtime.block_on(pair::pair(&config, gates, &mut output)),
        Command::Settings => Ok(ExitCode::SUCCESS),
    }
}
