//! The uplink of the edges: MQTT messages, collected in a few queues that any number of processes
//! consume (ADMISSION 6.1).

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::registry::{PipeHandler, PipeMessage};
use super::{BusError, Line};
use crate::app::App;
use crate::config;
use crate::reach::Pauses;

/// One kind of uplink traffic with its own queue, so that none waits behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipe {
    /// Scans: short-lived.
    Scan,
    /// Questions for a sync point: short-lived.
    Ask,
    /// Journal rows: kept.
    Journal,
    /// Hello, pull, health: short-lived.
    Control,
}

impl Pipe {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scan, Self::Ask, Self::Journal, Self::Control];

    /// Name of the queue.
    #[must_use]
    pub const fn queue(self) -> &'static str {
        match self {
            Self::Scan => "edge.scan",
            Self::Ask => "edge.ask",
            Self::Journal => "edge.journal",
            Self::Control => "edge.control",
        }
    }

    pub(super) const fn is_durable(self) -> bool {
        matches!(self, Self::Journal)
    }

    /// Messages that are worked on at once: scans share transactions, so all that were taken.
    const fn at_once(self, config: &config::Bus) -> u16 {
        match self {
            Self::Scan => config.prefetch,
            Self::Ask | Self::Journal | Self::Control => config.concurrency,
        }
    }

    pub(super) const fn bindings(self) -> &'static [&'static str] {
        match self {
            Self::Scan => &["ev1.up.*.scan"],
            Self::Ask => &["ev1.up.*.ask"],
            Self::Journal => &["ev1.up.*.journal"],
            Self::Control => &["ev1.up.*.hello", "ev1.up.*.pull", "ev1.up.*.health"],
        }
    }
}

/// Consumes a pipe until `stop`.
pub(crate) async fn consume(app: App, handler: PipeHandler, stop: CancellationToken) {
    let mut pauses = Pauses::default();
    while !stop.is_cancelled() {
        if let Err(error) = session(&app, &handler, &stop).await {
            let (pause, to_tell) = error.pause(&mut pauses);
            if to_tell {
                tracing::warn!(pipe = handler.pipe.queue(), %error, "pipe interrupted");
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }
}

async fn session(
    app: &App,
    handler: &PipeHandler,
    stop: &CancellationToken,
) -> Result<(), BusError> {
    let name = handler.pipe.queue();
    let config = app.bus.config();
    let channel = app.bus.channel(Line::FromEdges).await?;
    channel
        .basic_qos(config.prefetch, BasicQosOptions::default())
        .await?;
    let mut deliveries = channel
        .basic_consume(
            name.into(),
            name.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let permits = Arc::new(Semaphore::new(usize::from(handler.pipe.at_once(config))));
    let mut working = JoinSet::new();
    let ended = loop {
        let delivery = tokio::select! {
            () = stop.cancelled() => {
                break channel.basic_cancel(name.into(), BasicCancelOptions::default()).await;
            }
            Some(_) = working.join_next(), if !working.is_empty() => continue,
            delivery = deliveries.next() => match delivery {
                Some(Ok(delivery)) => delivery,
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            },
        };
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            break Ok(());
        };
        let (app, handler) = (app.clone(), handler.clone());
        working.spawn(async move {
            let message = PipeMessage {
                routing_key: delivery.routing_key.to_string(),
                body: delivery.data,
            };
            if let Err(failure) = (handler.handle)(app, message).await {
                tracing::warn!(pipe = name, handler = handler.name, %failure, "message refused");
            }
            if let Err(error) = delivery.acker.ack(BasicAckOptions::default()).await {
                tracing::warn!(pipe = name, %error, "message left to the broker");
            }
            drop(permit);
        });
    };
    while working.join_next().await.is_some() {}
    ended?;
    if stop.is_cancelled() {
        return Ok(());
    }
    Err(BusError::NotTaken(
        "the broker ended the consumer".to_owned(),
    ))
}
