//! `eventify-stack run -- CMD…` gives a command a running stack; `eventify-stack up` keeps one up for
//! hand use. Ctrl-C, SIGTERM and SIGHUP end both in order; after SIGKILL the kernel ends the servers.
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
    /// PostgreSQL waits for the disk as in production (benchmarks).
    #[arg(long, global = true)]
    durable: bool,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Run a command beside a stack, named to it by EVENTIFY_STACK; exit with its code.
    Run {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Keep a stack up until Ctrl-C and print its addresses and logins.
    Up,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let Arguments { durable, act } = Arguments::parse();
    // Listened to from before the start, so that a Ctrl-C while starting stops what has started.
    let end = end_requested()?;
    tokio::pin!(end);
    let stack = tokio::select! {
        started = Stack::start(Options { durable }) => started?,
        () = &mut end => return Ok(ExitCode::FAILURE),
    };
    match act {
        Act::Up => {
            println!("{}", stack.addresses());
            println!(
                "ready in {:.1?}; Ctrl-C stops everything",
                stack.started_in()
            );
            end.await;
            Ok(ExitCode::SUCCESS)
        }
        Act::Run { command } => {
            let mut running = Command::start(&stack, &command)
                .with_context(|| format!("starting {}", command[0].display()))?;
            let status = tokio::select! {
                status = running.end() => status?,
                () = &mut end => {
                    running.ask_to_end();
                    running.end().await?
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

/// The command's code; 128 + the signal's number if one ended it, as shells have it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
