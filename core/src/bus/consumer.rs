//! The consumer loop of a context's queue: decode, check, dispatch, commit, acknowledge; or retry
//! later, or park (CONTRACT 16, 17).

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::publisher::{Outgoing, Publisher};
use super::registry::{Consumers, Handler};
use super::{BusError, RECONNECT_PAUSE, headers, topology};
use crate::app::App;
use crate::event::Envelope;
use crate::failure::Failure;

/// Failed attempts that go to the short and the long retry queue, in this order; then the DLQ.
const SHORT_RETRIES: u32 = 2;
const LONG_RETRIES: u32 = 2;

/// Consumes until `stop`, then finishes what is in hand.
pub(crate) async fn run(
    app: App,
    context: &'static str,
    consumers: Consumers,
    stop: CancellationToken,
) {
    let consumers = Arc::new(consumers);
    while !stop.is_cancelled() {
        if let Err(error) = session(&app, context, &consumers, &stop).await {
            tracing::warn!(context, %error, "consumer interrupted");
            stop.run_until_cancelled(tokio::time::sleep(RECONNECT_PAUSE))
                .await;
        }
    }
}

/// One channel's life.
async fn session(
    app: &App,
    context: &'static str,
    consumers: &Arc<Consumers>,
    stop: &CancellationToken,
) -> Result<(), BusError> {
    let config = app.bus.config();
    let channel = app.bus.channel().await?;
    channel
        .basic_qos(config.prefetch, BasicQosOptions::default())
        .await?;
    let publisher = Arc::new(app.bus.publisher().await?);
    let mut deliveries = channel
        .basic_consume(
            topology::queue(context).into(),
            context.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let permits = Arc::new(Semaphore::new(usize::from(config.concurrency)));
    let mut working = JoinSet::new();
    let ended = loop {
        let delivery = tokio::select! {
            () = stop.cancelled() => {
                let options = BasicCancelOptions::default();
                break channel.basic_cancel(context.into(), options).await;
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
        let (app, consumers, publisher) = (app.clone(), consumers.clone(), publisher.clone());
        working.spawn(async move {
            if let Err(error) = take(&app, context, &consumers, &publisher, delivery).await {
                // Not acknowledged: the broker delivers it again.
                tracing::warn!(context, %error, "message left to the broker");
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

/// One message, from delivery to acknowledgement.
async fn take(
    app: &App,
    context: &'static str,
    consumers: &Consumers,
    publisher: &Publisher,
    delivery: Delivery,
) -> Result<(), BusError> {
    match handle(app, context, consumers, &delivery.data).await {
        Ok(()) => {}
        Err(Failure::Retry(reason)) => {
            let attempt = headers::attempt(&delivery.properties) + 1;
            tracing::warn!(context, attempt, reason, "message failed");
            let target = retry_target(context, attempt);
            pass_on(publisher, &delivery, target, attempt, &reason).await?;
        }
        Err(Failure::Park(reason)) => {
            let attempt = headers::attempt(&delivery.properties) + 1;
            tracing::error!(
                context,
                attempt,
                reason,
                "message parked in the dead letter queue"
            );
            let target = topology::dead_letter_queue(context);
            pass_on(publisher, &delivery, target, attempt, &reason).await?;
        }
    }
    delivery.acker.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// Where a message goes after this many failed attempts.
fn retry_target(context: &str, attempt: u32) -> String {
    let [short, long] = topology::retry_queues(context);
    if attempt <= SHORT_RETRIES {
        short
    } else if attempt <= SHORT_RETRIES + LONG_RETRIES {
        long
    } else {
        topology::dead_letter_queue(context)
    }
}

/// Confirmed before the original is acknowledged: twice is fine, lost is not.
async fn pass_on(
    publisher: &Publisher,
    delivery: &Delivery,
    queue: String,
    attempt: u32,
    reason: &str,
) -> Result<(), BusError> {
    publisher
        .publish(Outgoing {
            exchange: "",
            routing_key: queue,
            body: delivery.data.clone(),
            properties: headers::failed(&delivery.properties, attempt, reason),
            must_route: true,
        })
        .await
}

async fn handle(
    app: &App,
    context: &'static str,
    consumers: &Consumers,
    body: &[u8],
) -> Result<(), Failure> {
    let envelope = Envelope::parse(body)?;
    let Some(handler) = consumers.find(&envelope.kind) else {
        // A wider binding of the blueprint brought it; nobody here needs it.
        return Ok(());
    };
    app.db.schemas().check(&envelope.kind, &envelope.data)?;
    let span = tracing::info_span!(
        "message",
        correlationId = %envelope.correlationid,
        context,
        handler = handler.name,
        messageId = %envelope.id,
    );
    let deliveries = (0..app.interference.deliveries())
        .map(|_| effect(app, context, handler, &envelope).instrument(span.clone()));
    futures_util::future::join_all(deliveries)
        .await
        .into_iter()
        .collect()
}

/// Inbox and effect in one transaction.
async fn effect(
    app: &App,
    context: &'static str,
    handler: &Handler,
    envelope: &Envelope,
) -> Result<(), Failure> {
    let cause = envelope.cause();
    let mut tx = app.db.begin(context, &cause).await?;
    if !tx.first_time(envelope.id, &envelope.source).await? {
        return Ok(());
    }
    (handler.handle)(app, &mut tx, envelope)?.await?;
    if app.interference.breaks(context, handler.name, envelope.id) {
        return Err(Failure::retry("interference: died before the commit"));
    }
    tx.commit().await?;
    Ok(())
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
