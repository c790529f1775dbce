//! `eventify-edge run`.

use std::process::ExitCode;

use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

use super::{EXIT_DISK, EXIT_DUPLICATE, EXIT_JOURNAL};
use crate::{
    Node,
    clock::Clock,
    config::{Config, LogConfig, LogFormat},
    owner::Fatal,
};

pub(super) fn run(runtime: &Runtime, config: &Config) -> anyhow::Result<ExitCode> {
    log_to_stderr(&config.log)?;
    let clock = Clock::of_this_boot()?;
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut node = Node::start(config, clock).await?;
        let ended = tokio::select! {
            ended = node.ended() => ended,
            _ = terminate.recv() => node.stop().await,
            _ = interrupt.recv() => node.stop().await,
        };
        anyhow::Ok(ended)
    })?;
    Ok(match ended {
        Ok(()) => {
            tracing::info!(code = "node.stopped", "the node has stopped");
            ExitCode::SUCCESS
        }
        Err(error @ Fatal::Duplicate(_)) => {
            tracing::error!(
                code = "node.duplicate",
                %error,
                "the node ends: another one with its identity is running"
            );
            ExitCode::from(EXIT_DUPLICATE)
        }
        Err(Fatal::Behind(error)) => {
            tracing::error!(
                code = "node.journal_behind",
                %error,
                "the node ends: the core holds rows of its journal that are not on this disk"
            );
            ExitCode::from(EXIT_JOURNAL)
        }
        Err(error @ (Fatal::Journal(_) | Fatal::Replica(_))) => {
            tracing::error!(
                code = "node.disk_failed",
                %error,
                "the node ends: the disk could not be written; verdicts not on it were not sent"
            );
            ExitCode::from(EXIT_DISK)
        }
        Err(error @ Fatal::Gone(_)) => {
            tracing::error!(code = "node.failed", %error, "the node ends: a part of it has stopped");
            ExitCode::FAILURE
        }
    })
}

fn log_to_stderr(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let installed = match config.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("setting up the log: {error}"))
}
