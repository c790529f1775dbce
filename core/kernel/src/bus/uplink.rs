//! The uplink of the edges: MQTT messages, collected in a few queues that any number of processes
//! consume (ADMISSION 6.1).

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::registry::{UplinkHandler, UplinkMessage};
use super::{BusError, Purpose};
use crate::app::App;
use crate::config;
use crate::connectivity::Pauses;
use crate::db::Work;
use crate::failure::Failure;
use crate::supervision::caught;

/// One kind of uplink traffic with its own queue, so that none waits behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// Name of the queue.
    pub queue: &'static str,
    /// Routing keys on the MQTT exchange, with wildcards.
    pub bindings: &'static [&'static str],
    /// Kept across a restart of the broker; else short-lived.
    pub is_durable: bool,
    /// Whether its messages share transactions: then all that were taken are worked on at once.
    pub is_grouped: bool,
}

impl Uplink {
    /// Messages that are worked on at once.
    const fn at_once(self, config: &config::Bus) -> u16 {
        if self.is_grouped {
            config.prefetch
        } else {
            config.concurrency
        }
    }
}

/// Consumes an uplink queue until `stop`.
pub async fn consume(app: App, handler: UplinkHandler, stop: CancellationToken) {
    let app = app.for_work(Work::Gates);
    let mut pauses = Pauses::default();
    while !stop.is_cancelled() {
        if let Err(error) = session(&app, &handler, &stop).await {
            let (pause, is_news) = error.pause(&mut pauses);
            if is_news {
                let queue = handler.uplink.queue;
                tracing::warn!(code = "bus.uplink_interrupted", queue, %error,
                    "the uplink consumer was interrupted and starts again");
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }
}

async fn session(
    app: &App,
    handler: &UplinkHandler,
    stop: &CancellationToken,
) -> Result<(), BusError> {
    let name = handler.uplink.queue;
    let config = app.bus.config();
    let channel = app.bus.channel(Purpose::Uplink).await?;
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
    let permits = Arc::new(Semaphore::new(usize::from(handler.uplink.at_once(config))));
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
            let message = UplinkMessage {
                routing_key: delivery.routing_key.to_string(),
                body: delivery.data,
            };
            let handled = caught((handler.handle)(app, message)).await;
            if let Err(failure) = handled.map_err(Failure::from).flatten() {
                tracing::warn!(code = "bus.uplink_message_failed", queue = name, handler = handler.name,
                    error = %failure, "an uplink message could not be handled; the node asks again");
            }
            if let Err(error) = delivery.acker.ack(BasicAckOptions::default()).await {
                tracing::warn!(code = "bus.not_acknowledged", queue = name, %error,
                    "a message was not acknowledged; the broker delivers it again");
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
