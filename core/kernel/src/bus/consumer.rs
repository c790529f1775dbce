//! The consumer loop of a queue of events: decode, check, dispatch, commit, acknowledge; or retry
//! later, or park (DECISIONS 16, 17).

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::answers::answered;
use super::grouped::{Grouped, take_group};
use super::publisher::{Outgoing, Publisher};
use super::registry::{Consumers, Handler};
use super::{BusError, EventQueue, headers, topology};
use crate::app::App;
use crate::connectivity::Pauses;
use crate::event::Envelope;
use crate::failure::Failure;
use crate::group_commit;
use crate::supervision::caught;

/// Failed attempts that go to the short and the long retry queue, in this order; then the DLQ.
const SHORT_RETRIES: u32 = 2;
const LONG_RETRIES: u32 = 2;

/// An effect that takes longer waits for what never comes, such as a database that is gone: it is
/// rolled back and tried again. Far beyond any that is only slow.
const LONGEST_EFFECT: Duration = Duration::from_secs(300);

/// Consumes until `stop`, then finishes what is in hand.
pub async fn run(app: App, queue: EventQueue, consumers: Arc<Consumers>, stop: CancellationToken) {
    let app = app.for_work(queue.lane.work());
    let mut pauses = Pauses::default();
    while !stop.is_cancelled() {
        if let Err(error) = session(&app, queue, &consumers, &stop).await {
            let (pause, is_news) = error.pause(&mut pauses);
            if is_news {
                tracing::warn!(code = "bus.consumer_interrupted", %queue, %error,
                    "the consumer was interrupted and starts again");
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }
}

/// One channel's life.
async fn session(
    app: &App,
    queue: EventQueue,
    consumers: &Arc<Consumers>,
    stop: &CancellationToken,
) -> Result<(), BusError> {
    let config = app.bus.config();
    let name = queue.to_string();
    let channel = app.bus.channel(queue.lane.purpose()).await?;
    answered(channel.basic_qos(config.prefetch, BasicQosOptions::default())).await?;
    let publisher = Arc::new(app.bus.publisher().await?);
    let mut deliveries = answered(channel.basic_consume(
        topology::queue(&name).into(),
        name.as_str().into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    ))
    .await?;
    let gate_connections = app.config.database.gate_connections;
    let at_once = queue.lane.at_once(config.concurrency, gate_connections);
    let permits = Arc::new(Semaphore::new(usize::from(at_once)));
    let grouped = Arc::new(Grouped::of(consumers));
    let mut working = JoinSet::new();
    let ended = loop {
        let delivery = tokio::select! {
            () = stop.cancelled() => {
                let options = BasicCancelOptions::default();
                break answered(channel.basic_cancel(name.as_str().into(), options)).await;
            }
            Some(_) = working.join_next(), if !working.is_empty() => continue,
            delivery = deliveries.next() => match delivery {
                Some(Ok(delivery)) => delivery,
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(()),
            },
        };
        let hand = Hand {
            app: app.clone(),
            queue,
            consumers: Arc::clone(consumers),
            publisher: Arc::clone(&publisher),
            stop: stop.clone(),
        };
        if let Some((kind, waiting)) = grouped.find(&delivery) {
            if waiting.append(delivery) {
                working.spawn(hand.work(Arc::clone(&grouped), kind));
            }
            continue;
        }
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            break Ok(());
        };
        working.spawn(async move {
            hand.take(delivery).await;
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

/// All that is needed to take messages.
struct Hand {
    app: App,
    queue: EventQueue,
    consumers: Arc<Consumers>,
    publisher: Arc<Publisher>,
    stop: CancellationToken,
}

impl Hand {
    /// Works on a queue until it is empty.
    async fn work(self, grouped: Arc<Grouped>, kind: &'static str) {
        let Some(queue) = grouped.0.get(kind) else {
            return;
        };
        while let Some(group) = queue.next(take_group) {
            let next = self.app.clock.instant() + group_commit::PACE;
            self.take_all(group).await;
            tokio::time::sleep_until(next.into()).await;
        }
    }

    /// One transaction for all; if it fails, for whatever reason, one for each.
    async fn take_all(&self, group: Vec<Delivery>) {
        let bodies: Vec<&[u8]> = group.iter().map(|delivery| &delivery.data[..]).collect();
        let done = group.len() > 1 && self.handle(&bodies).await.is_ok();
        for delivery in group {
            if done {
                self.acknowledge(&delivery).await;
            } else {
                self.take(delivery).await;
            }
        }
    }

    /// One message, from delivery to acknowledgement.
    async fn take(&self, delivery: Delivery) {
        let Some(handled) = self.handle_with_database(&delivery).await else {
            return;
        };
        let taken = match handled {
            Ok(()) => Ok(()),
            Err(failure) => self.pass_on(&delivery, failure).await,
        };
        match taken {
            Ok(()) => self.acknowledge(&delivery).await,
            // Not acknowledged: the broker delivers it again.
            Err(error) => {
                tracing::warn!(code = "bus.not_acknowledged", queue = %self.queue, %error,
                    "a message was not acknowledged; the broker delivers it again");
            }
        }
    }

    /// The effect of one message. While the database doesn't answer the message has not failed: it
    /// stays in hand. An outage of some minutes would else empty the queue into the dead letters. None
    /// when the process stops meanwhile; then the broker delivers it again.
    async fn handle_with_database(&self, delivery: &Delivery) -> Option<Result<(), Failure>> {
        let mut pauses = Pauses::default();
        loop {
            let handled = self.handle(&[&delivery.data]).await;
            let may_pass = matches!(handled, Err(Failure::Retry(_)));
            if !may_pass || self.app.db.answers(self.queue.context).await {
                return Some(handled);
            }
            let pause = tokio::time::sleep(pauses.next());
            self.stop.run_until_cancelled(pause).await?;
        }
    }

    async fn acknowledge(&self, delivery: &Delivery) {
        if let Err(error) = answered(delivery.acker.ack(BasicAckOptions::default())).await {
            tracing::warn!(code = "bus.not_acknowledged", queue = %self.queue, %error,
                    "a message was not acknowledged; the broker delivers it again");
        }
    }

    /// To a retry queue, or to the dead letters.
    async fn pass_on(&self, delivery: &Delivery, failure: Failure) -> Result<(), BusError> {
        let queue = self.queue;
        let attempt = headers::attempt(&delivery.properties) + 1;
        let (target, reason) = match failure {
            Failure::Retry(reason) => {
                tracing::warn!(
                    code = "bus.message_failed",
                    %queue,
                    attempt,
                    error = reason,
                    "a message failed and is tried again"
                );
                (retry_target(&queue.to_string(), attempt), reason)
            }
            Failure::Park(reason) => {
                tracing::error!(
                    code = "bus.message_parked",
                    %queue,
                    attempt,
                    error = reason,
                    "a message was parked in the dead letter queue"
                );
                (topology::dead_letter_queue(&queue.to_string()), reason)
            }
        };
        // Confirmed before the original is acknowledged: twice is fine, lost is not.
        self.publisher
            .publish(Outgoing {
                exchange: "",
                routing_key: target,
                body: delivery.data.clone(),
                properties: headers::failed(&delivery.properties, attempt, &reason),
                must_route: true,
            })
            .await
    }

    /// The effect of messages of one type.
    async fn handle(&self, bodies: &[&[u8]]) -> Result<(), Failure> {
        let envelopes = bodies.iter().map(|body| Envelope::parse(body));
        let envelopes = envelopes.collect::<Result<Vec<_>, _>>()?;
        let Some(first) = envelopes.first() else {
            return Ok(());
        };
        if envelopes.iter().any(|envelope| envelope.kind != first.kind) {
            return Err(Failure::park("the type differs from the message header"));
        }
        let Some(handler) = self.consumers.find(&first.kind) else {
            // One of the blueprint's wider bindings matched it; no handler here needs it.
            return Ok(());
        };
        for envelope in &envelopes {
            let schemas = self.app.db.schemas();
            schemas.check(&envelope.kind, &envelope.data)?;
        }
        let span = tracing::info_span!(
            "message",
            correlation_id = %first.correlationid,
            context = self.queue.context,
            handler = handler.name,
            message_id = %first.id,
            messages = envelopes.len(),
        );
        let deliveries = (0..self.app.faults.deliveries())
            .map(|_| caught(self.effect(handler, &envelopes).instrument(span.clone())));
        let done = tokio::time::timeout(LONGEST_EFFECT, join_all(deliveries)).await;
        self.app.faults.progressed();
        let done = done.map_err(|_| Failure::retry("it took too long and was given up"))?;
        done.into_iter().try_for_each(|done| done?)
    }

    /// Inbox and effect in one transaction.
    async fn effect(&self, handler: &Handler, envelopes: &[Envelope]) -> Result<(), Failure> {
        let (app, context) = (&self.app, self.queue.context);
        let Some(first) = envelopes.first() else {
            return Ok(());
        };
        let mut tx = app.db.begin(context, &first.cause()).await?;
        let new = tx.first_time(envelopes).await?;
        if new.is_empty() {
            return Ok(());
        }
        handler.call(app, &mut tx, &new).await?;
        let breaks = |envelope: &&Envelope| {
            let faults = &app.faults;
            faults.breaks(context, handler.name, envelope.id)
        };
        if new.iter().any(breaks) {
            return Err(Failure::retry("faults: died before the commit"));
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Where a message goes after this many failed attempts.
fn retry_target(name: &str, attempt: u32) -> String {
    let [short, long] = topology::retry_queues(name);
    if attempt <= SHORT_RETRIES {
        short
    } else if attempt <= SHORT_RETRIES + LONG_RETRIES {
        long
    } else {
        topology::dead_letter_queue(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_short_retries_two_long_ones_then_the_dead_letter_queue() {
        let targets: Vec<_> = (1..=6)
            .map(|attempt| retry_target("order", attempt))
            .collect();
        assert_eq!(
            targets,
            [
                "order.retry.30s.q",
                "order.retry.30s.q",
                "order.retry.2m.q",
                "order.retry.2m.q",
                "order.dlq",
                "order.dlq"
            ]
        );
    }
}
