//! `eventify-edge run`.

use std::process::ExitCode;

use eventify_log::Flush;
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
    let _until_the_end = log_to_stderr(&config.log)?;
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

fn log_to_stderr(config: &LogConfig) -> anyhow::Result<Flush> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let of_loss = match config.format {
        LogFormat::Text => loss_as_text,
        LogFormat::Json => loss_as_json,
    };
    let (lines, flush) = eventify_log::to_stderr(of_loss)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || lines.clone());
    let installed = match config.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("setting up the log: {error}"))?;
    Ok(flush)
}

fn loss_as_text(lines: u64) -> String {
    format!(
        "WARN log lines were dropped: their reader is too slow code=\"log.lines_lost\" lines={lines}\n"
    )
}

fn loss_as_json(lines: u64) -> String {
    format!(
        "{{\"level\":\"WARN\",\"message\":\"log lines were dropped: their reader is too slow\",\
         \"code\":\"log.lines_lost\",\"lines\":{lines}}}\n"
    )
}
