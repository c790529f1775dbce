//! `eventify-core tasks`: durable work that failed or is parked.

use clap::Subcommand;
use eventify_contracts::flows;
use eventify_core::config::Config;
use eventify_kernel::app::App;
use eventify_kernel::clock::Clock;
use eventify_kernel::db::tasks;
use eventify_kernel::fault_injection::FaultInjection;
use uuid::Uuid;

use super::{contexts, known, print};

/// Tasks that are listed of one context.
const MAX_LISTED: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Tasks {
    /// Prints tasks that are parked or have failed, one JSON object a line, without their data.
    List,
    /// Makes a task due now.
    Retry(Which),
    /// Deletes a parked task. Its work is never done: a payment or refund that it stood for stays open.
    Drop(Which),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Context, as `list` prints it.
    context: String,
    /// Kind, as `list` prints it.
    kind: String,
    /// Key, as `list` prints it.
    key: Uuid,
}

pub(crate) async fn run(command: Tasks, config: Config) -> anyhow::Result<()> {
    let contexts = contexts(&config)?;
    let names: Vec<_> = contexts.iter().map(|context| context.name).collect();
    let faults = FaultInjection::default();
    let app = App::build(
        config.kernel,
        Clock::system(),
        faults,
        &contexts,
        flows::routing(),
    )?;
    match command {
        Tasks::List => {
            for context in names {
                let mut conn = app.db.read(context).await?;
                for task in tasks::list_troubled(&mut conn, MAX_LISTED).await? {
                    let mut line = serde_json::to_value(task)?;
                    line["context"] = context.into();
                    print(&line.to_string())?;
                }
            }
        }
        Tasks::Retry(which) => {
            let context = *known("context", &names, &which.context)?;
            let mut conn = app.db.read(context).await?;
            let now = app.clock.now();
            let found = tasks::retry(&mut conn, (&which.kind, which.key), now).await?;
            anyhow::ensure!(found, "{context} has no task {} {}", which.kind, which.key);
        }
        Tasks::Drop(which) => {
            let context = *known("context", &names, &which.context)?;
            let mut conn = app.db.read(context).await?;
            let found = tasks::drop_parked(&mut conn, &which.kind, which.key).await?;
            let (kind, key) = (which.kind, which.key);
            anyhow::ensure!(found, "{context} has no parked task {kind} {key}");
        }
    }
    app.db.close().await;
    Ok(())
}
