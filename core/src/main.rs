//! `eventify-core`: runs the roles that the configuration names, and the commands of an operator.
//!
//! Exit codes: 0 done, 1 not done (the message says why), 2 wrong usage, 78 a setting is wrong.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use eventify_core::assembly;
use eventify_core::config::{self, Config};
use eventify_kernel::clock::Clock;
use eventify_kernel::config::ConfigError;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_kernel::telemetry;
use eventify_log::ReaderGone;
use tokio::signal::unix::{SignalKind, signal};

use commands::dead_letters::DeadLetters;
use commands::keys::Keys;
use commands::print;
use commands::tasks::Tasks;

mod commands;

/// The central system of Eventify.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Configuration file (TOML); it overrides the built-in defaults, and the environment variables
    /// `EVENTIFY_CORE__SECTION__KEY` override it.
    #[arg(long, global = true, env = "EVENTIFY_CORE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the roles in `process.roles`. This is the default.
    Run,
    /// Prints every setting with its default value and its meaning.
    DefaultConfig,
    /// Prints the routes of the HTTP API: who may call each, and how.
    Routes {
        /// Prints what each takes instead: fields of query and body, with what is allowed.
        #[arg(long)]
        fields: bool,
        /// Prints the same as an OpenAPI document, which the core serves at `GET /openapi.json`.
        #[arg(long, conflicts_with = "fields")]
        openapi: bool,
    },
    /// Makes, rotates and withdraws signing keys.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Lists, reads and replays messages that could not be handled.
    Dlq {
        #[command(subcommand)]
        command: DeadLetters,
    },
    /// Lists, retries and drops durable work that failed or is parked.
    Tasks {
        #[command(subcommand)]
        command: Tasks,
    },
}

/// `EX_CONFIG` of `sysexits.h`: starting again does not help.
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        // `routes | head -1` has seen what it wanted.
        Err(error) if error.downcast_ref().is_some_and(ReaderGone::is) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no other place for this message.
            drop(writeln!(std::io::stderr(), "eventify-core: {error:#}"));
            let is_config = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if is_config { EXIT_CONFIG } else { 1 })
        }
    }
}

fn start() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed"))?;
    let Arguments { config, command } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command.unwrap_or(Command::Run) {
            Command::Run => run(load(config)?).await,
            Command::DefaultConfig => print(config::DEFAULT),
            Command::Routes { fields, openapi } => {
                let contexts = commands::contexts(&Config::load(None, [])?)?;
                print(&match (fields, openapi) {
                    (true, _) => assembly::fields(&contexts),
                    (_, true) => format!("{:#}", assembly::open_api(&contexts)),
                    (false, false) => assembly::routes(&contexts),
                })
            }
            Command::Keys { command } => commands::keys::run(command, &Clock::system()),
            Command::Dlq { command } => commands::dead_letters::run(command, load(config)?).await,
            Command::Tasks { command } => commands::tasks::run(command, load(config)?).await,
        }
    })
}

fn load(file: Option<PathBuf>) -> anyhow::Result<Config> {
    let text = match file {
        Some(path) => Some(eventify_settings::read_file(&path)?),
        None => None,
    };
    let variables = eventify_settings::environment();
    Config::load(text.as_deref(), variables).context("configuration")
}

async fn run(config: Config) -> anyhow::Result<()> {
    let _until_the_end = telemetry::start()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let contexts = commands::contexts(&config)?;
    let faults = FaultInjection::default();
    let starting = assembly::start(config, Clock::system(), faults, contexts);
    // It may have to wait for its servers.
    let running = tokio::select! {
        running = starting => running?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(code = "stop.requested", "the process stops");
    running.stop().await;
    Ok(())
}
