//! `eventify-core dlq`: the dead letters of the contexts' queues.

use clap::Subcommand;
use eventify_contracts::flows;
use eventify_core::config::Config;
use eventify_kernel::bus::{Bus, dead_letters};

use super::{contexts, known, print};

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Prints each queue with the number of its parked messages: that of a context, `.gates` of it, or that
    /// of the nodes' journals.
    List,
    /// Prints parked messages of a queue, without their data; they stay parked.
    Read {
        /// A queue that `list` prints.
        queue: String,
        /// Largest number of messages.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Puts parked messages back into their queue, with fresh attempts.
    Replay {
        /// A queue that `list` prints.
        queue: String,
        /// Largest number of messages.
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
}

pub(crate) async fn run(command: DeadLetters, config: Config) -> anyhow::Result<()> {
    let contexts = contexts(&config)?;
    let consuming = contexts.iter().filter(|it| !it.consumers.is_empty());
    let consuming = consuming.map(|context| context.name).collect();
    let bus = Bus::new(config.kernel.bus, consuming, flows::routing());
    let names = bus.parking();
    match command {
        DeadLetters::List => {
            for name in &names {
                let parked = dead_letters::count(&bus, name).await?;
                print(&format!("{name} {parked}"))?;
            }
        }
        DeadLetters::Read { queue, limit } => {
            let queue = known("queue", &names, &queue)?;
            for letter in dead_letters::read(&bus, queue, limit).await? {
                print(&serde_json::to_string(&letter)?)?;
            }
        }
        DeadLetters::Replay { queue, limit } => {
            let queue = known("queue", &names, &queue)?;
            let replayed = dead_letters::replay(&bus, queue, limit).await?;
            print(&format!("{queue} {replayed}"))?;
        }
    }
    bus.close().await;
    Ok(())
}
