//! `eventify-core`: runs the roles that the configuration names, or reads dead letter queues.
//!
//! Exit codes: 0 done, 1 not done (the message says why), 2 wrong usage, 78 a setting is wrong.

use std::{ffi::OsString, io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use eventify_contracts::flows;
use eventify_core::assembly;
use eventify_core::config::{self, Config};
use eventify_kernel::bus::{Bus, dead_letters};
use eventify_kernel::clock::Clock;
use eventify_kernel::config::ConfigError;
use eventify_kernel::context::Context;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_kernel::keys::{self, Lifetime};
use eventify_kernel::telemetry;
use tokio::signal::unix::{SignalKind, signal};

/// The central system of Eventify.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A TOML file over the built-in defaults; `EVENTIFY_CORE__SECTION__KEY` goes over both.
    #[arg(long, global = true, env = "EVENTIFY_CORE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the roles in `process.roles`; what happens without a command.
    Run,
    /// Prints the built-in configuration with its explanations.
    DefaultConfig,
    /// Prints the routes of the HTTP API: who may call each, and how.
    Routes,
    /// Signing keys; see `keys.directory` in the default configuration.
    Keys {
        #[command(subcommand)]
        act: KeysAct,
    },
    /// Dead letter queues.
    Dlq {
        #[command(subcommand)]
        act: Dlq,
    },
}

#[derive(Debug, Subcommand)]
enum KeysAct {
    /// Makes the root key, the first signing keys and the key set in an empty directory. Move
    /// root.pem to a safe place afterwards.
    Init {
        /// Where to.
        directory: PathBuf,
        /// Tickets that expire later than so many days from now are not signed by these keys.
        #[arg(long, default_value_t = 400)]
        days: u32,
    },
    /// Adds new signing keys and retires the old ones; needs root.pem.
    Rotate {
        /// Which.
        directory: PathBuf,
        /// As for init.
        #[arg(long, default_value_t = 400)]
        days: u32,
    },
    /// Takes a compromised key back: nothing that it signed is accepted any more; needs root.pem.
    Withdraw {
        /// Which.
        directory: PathBuf,
        /// The key's name, as in the key set.
        kid: String,
    },
}

#[derive(Debug, Subcommand)]
enum Dlq {
    /// How many messages are parked, by context.
    List,
    /// What is parked for a context; the messages stay.
    Read {
        /// Context.
        context: String,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Puts parked messages back into the context's queue.
    Replay {
        /// Context.
        context: String,
        /// At most so many.
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
}

/// `EX_CONFIG` of `sysexits.h`: starting again does not help.
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere left to say that nothing can be said.
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
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    if matches!(arguments.command, Some(Command::DefaultConfig)) {
        return print(config::DEFAULT);
    }
    if matches!(arguments.command, Some(Command::Routes)) {
        let defaults = Config::load(None, [])?;
        return print(&assembly::routes(&contexts(&defaults)?));
    }
    if let Some(Command::Keys { act }) = arguments.command {
        return signing_keys(act, &Clock::system());
    }
    let config = load(arguments.config)?;
    match arguments.command {
        None | Some(Command::Run) => serve(config).await,
        Some(Command::Dlq { act }) => dead_letter_queues(config, act).await,
        Some(Command::DefaultConfig | Command::Routes | Command::Keys { .. }) => Ok(()),
    }
}

fn signing_keys(act: KeysAct, clock: &Clock) -> anyhow::Result<()> {
    let lifetime = |days: u32| Lifetime {
        from: clock.now().timestamp(),
        seconds: i64::from(days) * 86_400,
    };
    let mut seed = || clock.random_bytes();
    match act {
        KeysAct::Init { directory, days } => {
            let root = keys::init(&directory, lifetime(days), &mut seed)?;
            print(&format!(
                "root key {root}, fingerprint {}",
                root.fingerprint()
            ))
        }
        KeysAct::Rotate { directory, days } => {
            let set = keys::rotate(&directory, lifetime(days), &mut seed)?;
            print(&format!("key set version {}", set.version()))
        }
        KeysAct::Withdraw { directory, kid } => {
            let set = keys::withdraw(&directory, &kid)?;
            print(&format!(
                "key set version {}: {kid} withdrawn",
                set.version()
            ))
        }
    }
}

fn load(file: Option<PathBuf>) -> anyhow::Result<Config> {
    let text = match file {
        Some(path) => Some(
            std::fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?,
        ),
        None => None,
    };
    // Text that is no Unicode can't be a good value: it is refused like other bad ones.
    let variables = std::env::vars_os().map(|(name, value)| {
        let text = |part: OsString| part.to_string_lossy().into_owned();
        (text(name), text(value))
    });
    Config::load(text.as_deref(), variables).context("configuration")
}

async fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::start()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let contexts = contexts(&config)?;
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
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

async fn dead_letter_queues(config: Config, act: Dlq) -> anyhow::Result<()> {
    let contexts = contexts(&config)?;
    let listening: Vec<_> = contexts
        .iter()
        .filter(|context| !context.consumers.is_empty())
        .map(|context| context.name)
        .collect();
    let known = |name: &str| {
        let allowed = listening.join(", ");
        anyhow::ensure!(
            listening.contains(&name),
            "no context '{name}'; there are: {allowed}"
        );
        Ok(())
    };
    let bus = Bus::new(config.kernel.bus, listening.clone(), flows::routing());
    match act {
        Dlq::List => {
            for name in &listening {
                let parked = dead_letters::count(&bus, name).await?;
                print(&format!("{name} {parked}"))?;
            }
        }
        Dlq::Read { context, limit } => {
            known(&context)?;
            for letter in dead_letters::read(&bus, &context, limit).await? {
                print(&serde_json::to_string(&letter)?)?;
            }
        }
        Dlq::Replay { context, limit } => {
            known(&context)?;
            let replayed = dead_letters::replay(&bus, &context, limit).await?;
            print(&format!("{context} {replayed}"))?;
        }
    }
    bus.close().await;
    Ok(())
}

fn contexts(config: &Config) -> anyhow::Result<Vec<Context>> {
    assembly::contexts(config, &Clock::system())
}

fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
