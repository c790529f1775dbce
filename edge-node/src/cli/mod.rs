//! The commands. `status`, `pair` and `scanners` ask the running node over its control socket; without one,
//! `status` reads the files, and `scanners` reads and writes its own. `export-journal`, `acts` and `doctor` only read, and work beside a running node.

mod acts;
mod doctor;
mod enrol;
mod export;
mod pair;
mod restart_journal;
mod run;
mod scanners;
mod status;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use clap::{Parser, Subcommand};
use eventify_log::Output;
use eventify_protocol::zone::TimeZone;

use enrol::GivenCode;

use crate::{
    config::{Config, ConfigError},
    held_file, instance_lock, journal,
    owner::StartError,
};

/// A setting is wrong (`EX_CONFIG`).
const EXIT_CONFIG: u8 = 78;
/// The journal is damaged or lacks rows: a person decides (`EX_DATAERR`).
const EXIT_JOURNAL: u8 = 65;
/// Another node with this identity is running (`EX_UNAVAILABLE`).
const EXIT_DUPLICATE: u8 = 69;
/// Journal or replica could not be written (`EX_IOERR`).
const EXIT_DISK: u8 = 74;

/// The Eventify edge node: decides who may enter a venue, also without a connection to the core.
#[derive(Debug, Parser)]
#[command(
    name = "eventify-edge",
    version,
    after_help = "Exit codes: 0 success; 1 failure, the message gives the reason; 2 wrong usage; \
                  65 the journal is damaged or lacks rows, do not start again by itself; \
                  69 another node with this identity is running, do not start again by itself; 74 journal or replica could not be written; 78 a setting is wrong"
)]
pub struct Arguments {
    /// File with settings (TOML). `eventify-edge settings` prints all of them with their defaults.
    #[arg(
        long,
        short,
        global = true,
        env = "EVENTIFY_EDGE_CONFIG",
        value_name = "FILE"
    )]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the node until SIGTERM or SIGINT.
    Run,
    /// Enrols the node at a venue with the code from the core's `POST /fleet/nodes`. Without CODE, or with
    /// `-`, the code is read from standard input: on the command line the whole machine sees it, and the shell
    /// keeps it.
    Enrol {
        /// The code, `evn1.…`.
        #[arg(default_value = "-", hide_default_value = true)]
        code: GivenCode,
    },
    /// Prints the state of the node: mode, age of the cache, journal, gates.
    Status {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints the journal as JSON lines and checks its hash chain.
    ExportJournal {
        /// Writes to this file, which must not exist.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Replaces the file if it exists.
        #[arg(long, requires = "out")]
        force: bool,
    },
    /// Goes on without rows of the journal that are lost: puts the file aside, and begins a new one that
    /// says so and carries what can still be read. Only for a journal that is damaged or lacks rows.
    RestartJournal,
    /// Checks clock, disk, journal, replica, scanners, port, mode, sign-ins, certificate and broker, and says what to
    /// do.
    Doctor,
    /// Prints a one-time code that pairs a scanner with the running node.
    Pair {
        /// Name or id of a gate of this node that the scanner may scan for. Repeat it for more gates;
        /// without it, the scanner may scan for all gates of the node.
        #[arg(long = "gate", value_name = "GATE")]
        gates: Vec<String>,
    },
    /// Lists the paired scanners, renames them, narrows their gates, or unpairs them. Takes effect at once
    /// on the running node; without one it is done in its files.
    Scanners {
        /// Prints JSON.
        #[arg(long, global = true)]
        json: bool,
        #[command(subcommand)]
        act: Option<scanners::Act>,
    },
    /// Lists what people did at the gates beside scanning, with time, person and reason: overrides, admissions
    /// taken back, changes of gate. From this node's journal, as long as it is kept.
    Acts {
        /// Also guests who were scanned out.
        #[arg(long)]
        exits: bool,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints all settings with their defaults and meanings.
    Settings,
}

/// Runs a command.
#[must_use]
pub fn main(arguments: Arguments) -> ExitCode {
    let mut output = Output::stdout();
    match execute(arguments, &mut output) {
        Ok(code) => code,
        // `status | head -1` has seen what it wanted.
        Err(_) if output.reader_is_gone() => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the exit code remains.
            drop(writeln!(io::stderr(), "eventify-edge: {error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<ConfigError>().is_some() {
        return EXIT_CONFIG;
    }
    match error.downcast_ref::<StartError>() {
        Some(StartError::Journal(error)) if error.is_loss() => EXIT_JOURNAL,
        Some(_) | None => 1,
    }
}

fn execute(arguments: Arguments, output: &mut Output) -> anyhow::Result<ExitCode> {
    let Arguments { config, command } = arguments;
    if matches!(command, Command::Settings) {
        output.write_all(crate::config::DEFAULTS.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(config.as_deref(), eventify_settings::environment())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Run => run::run(&runtime, &config),
        Command::Enrol { code } => {
            let code = code.read(io::stdin().lock())?;
            runtime.block_on(enrol::enrol(&config, &code, output))
        }
        Command::Status { json } => runtime.block_on(status::status(&config, json, output)),
        Command::ExportJournal { out, force } => {
            export::export(&config, out.as_deref(), force, output)
        }
        Command::RestartJournal => restart_journal::restart_journal(&config, output),
        Command::Doctor => runtime.block_on(doctor::doctor(&config, output)),
        Command::Scanners { json, act } => {
            runtime.block_on(scanners::scanners(&config, act, json, output))
        }
        Command::Acts { exits, json } => acts::acts(&config, (exits, json), output),
        Command::Pair { gates } => runtime.block_on(pair::pair(&config, gates, output)),
        Command::Settings => Ok(ExitCode::SUCCESS),
    }
}

/// What to do about a journal's log that has grown, if it has.
fn log_has_grown(data_dir: &Path) -> Option<String> {
    let path = journal::path(data_dir);
    let grown = journal::grown_bytes(&path);
    let nodes = held_file::lockers(&data_dir.join(instance_lock::FILE));
    (grown > 0).then(|| {
        format!(
            "close {}, which reads the journal: its log takes {} MiB of the room until then",
            held_file::named(&held_file::suspects(&path, &nodes)),
            grown.div_ceil(1 << 20)
        )
    })
}

/// An instant for programs, as the venue's clocks show it.
fn rfc3339(at: DateTime<Utc>, zone: TimeZone) -> String {
    zone.local(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time of RFC 3339 for people: as the venue's clocks show it, and whose clocks these are.
fn in_words(at: Option<&str>, zone: TimeZone) -> Option<String> {
    let at: DateTime<FixedOffset> = at?.parse().ok()?;
    let local = zone.local(at.to_utc());
    let name = if zone == TimeZone::UTC {
        "UTC"
    } else {
        zone.name()
    };
    Some(format!("{} {name}", local.format("%Y-%m-%d %H:%M:%S %:z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_the_venues_clocks_show_it_with_their_zone() {
        let paris: TimeZone = "Europe/Paris".parse().unwrap();
        for (at, zone, words) in [
            (
                "2026-06-06T18:30:05Z",
                paris,
                "2026-06-06 20:30:05 +02:00 Europe/Paris",
            ),
            // The hour that exists twice.
            (
                "2026-10-25T01:30:00Z",
                paris,
                "2026-10-25 02:30:00 +01:00 Europe/Paris",
            ),
            (
                "2026-06-06T20:30:05+02:00",
                TimeZone::UTC,
                "2026-06-06 18:30:05 +00:00 UTC",
            ),
        ] {
            assert_eq!(in_words(Some(at), zone).as_deref(), Some(words));
        }
        let at = "2026-06-06T18:30:05Z".parse().unwrap();
        assert_eq!(rfc3339(at, paris), "2026-06-06T20:30:05+02:00");
        assert_eq!(rfc3339(at, TimeZone::UTC), "2026-06-06T18:30:05Z");
    }
}
