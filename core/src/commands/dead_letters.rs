//! `eventify-core dlq`: the dead letter queues of the contexts.

use clap::Subcommand;
use eventify_contracts::flows;
use eventify_core::config::Config;
use eventify_kernel::bus::{Bus, dead_letters};

use super::{contexts, known, print};

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Prints each context with the number of its parked messages.
    List,
    /// Prints parked messages of a context, without their data; they stay parked.
    Read {
        /// A context that `list` prints.
        context: String,
        /// Largest number of messages.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Puts parked messages back into the context's queue, with fresh attempts.
    Replay {
        /// A context that `list` prints.
        context: String,
        /// Largest number of messages.
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
}

pub(crate) async fn run(command: DeadLetters, config: Config) -> anyhow::Result<()> {
    let contexts = contexts(&config)?;
    let consuming = contexts.iter().filter(|it| !it.consumers.is_empty());
    let names: Vec<_> = consuming.map(|context| context.name).collect();
    let bus = Bus::new(config.kernel.bus, names.clone(), flows::routing());
    match command {
        DeadLetters::List => {
            for name in &names {
                let parked = dead_letters::count(&bus, name).await?;
                print(&format!("{name} {parked}"))?;
            }
        }
        DeadLetters::Read { context, limit } => {
            let context = known(&names, &context)?;
            for letter in dead_letters::read(&bus, context, limit).await? {
                print(&serde_json::to_string(&letter)?)?;
            }
        }
        DeadLetters::Replay { context, limit } => {
            let context = known(&names, &context)?;
            let replayed = dead_letters::replay(&bus, context, limit).await?;
            print(&format!("{context} {replayed}"))?;
        }
    }
    bus.close().await;
    Ok(())
}
