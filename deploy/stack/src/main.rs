//! `eventify-stack run -- COMMAND…` runs a command beside a stack; `eventify-stack up` keeps a stack
//! running. Ctrl-C, SIGTERM and SIGHUP stop both in order; after SIGKILL the kernel stops the servers.
#![expect(clippy::print_stdout, reason = "a command line tool talks to its user")]

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context;
use clap::{Parser, Subcommand};
use eventify_stack::{Command, Options, Stack};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Starts private PostgreSQL, RabbitMQ, OIDC, Stripe-compatible and mail servers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Make PostgreSQL write to disk at each commit, as in production (for benchmarks).
    #[arg(long, global = true)]
    durable: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start the servers, run a command with their addresses in EVENTIFY_STACK, exit with its code.
    Run {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Start the servers, print their addresses and logins, and keep them running until Ctrl-C.
    Up,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let Arguments { durable, action } = Arguments::parse();
    // Before the start: a Ctrl-C during it stops the servers that run already.
    let end = end_requested()?;
    tokio::pin!(end);
    let stack = tokio::select! {
        started = Stack::start(Options { durable, ..Options::default() }) => started?,
        () = &mut end => return Ok(ExitCode::FAILURE),
    };
    match action {
        Action::Up => {
            println!("{}", stack.addresses());
            println!(
                "The servers started in {:.1?}. Ctrl-C stops them.",
                stack.started_in()
            );
            end.await;
            Ok(ExitCode::SUCCESS)
        }
        Action::Run { command } => {
            let mut running = Command::start(&stack, &command)
                .with_context(|| format!("starting {}", command[0].display()))?;
            let status = tokio::select! {
                status = running.wait() => status?,
                () = &mut end => {
                    running.terminate();
                    running.wait().await?
                }
            };
            Ok(code(status))
        }
    }
}

/// Resolves at the first Ctrl-C, SIGTERM or SIGHUP.
fn end_requested() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

/// The command's exit code, or 128 + the number of the signal that ended it, as in a shell.
fn code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
