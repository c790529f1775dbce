//! Dead letter queues for operators: count, read without taking, replay (DECISIONS 16).

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use serde::Serialize;

use super::answers::answered;
use super::publisher::Outgoing;
use super::{Bus, BusError, MQTT_EXCHANGE, Purpose, headers, topology};
use crate::event::Envelope;

/// A parked message, without its data: that can be personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Message id, if the envelope could be read.
    pub message_id: Option<uuid::Uuid>,
    /// Event type.
    pub kind: Option<String>,
    /// Aggregate.
    pub subject: Option<String>,
    /// Chain of work.
    pub correlation_id: Option<String>,
    /// Attempts made.
    pub attempts: u32,
    /// Why the last one failed.
    pub reason: Option<String>,
}

/// How many messages of a queue ([`Bus::parking`]) are parked.
///
/// # Errors
/// The broker doesn't answer.
pub async fn count(bus: &Bus, name: &str) -> Result<u32, BusError> {
    count_on(&bus.channel(Purpose::Consume).await?, name).await
}

async fn count_on(channel: &Channel, name: &str) -> Result<u32, BusError> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = answered(channel.queue_declare(
        topology::dead_letter_queue(name).into(),
        options,
        FieldTable::default(),
    ))
    .await?;
    Ok(queue.message_count())
}

/// The first parked messages; they stay where they are.
///
/// # Errors
/// The broker doesn't answer.
pub async fn read(bus: &Bus, name: &str, limit: u32) -> Result<Vec<DeadLetter>, BusError> {
    // Messages that were got and not acknowledged go back when the channel is closed.
    let channel = bus.channel(Purpose::Consume).await?;
    let queue = topology::dead_letter_queue(name);
    let mut letters = Vec::new();
    for _ in 0..limit {
        let got = channel
            .basic_get(queue.as_str().into(), BasicGetOptions::default())
            .await?;
        let Some(message) = got else { break };
        let envelope = Envelope::parse(&message.data).ok();
        letters.push(DeadLetter {
            message_id: envelope.as_ref().map(|it| it.id),
            kind: envelope.as_ref().map(|it| it.kind.clone()),
            subject: envelope.as_ref().map(|it| it.subject.clone()),
            correlation_id: envelope.as_ref().map(|it| it.correlationid.to_string()),
            attempts: headers::attempt(&message.properties),
            reason: headers::reason(&message.properties),
        });
    }
    channel.close(200, "read".into()).await?;
    Ok(letters)
}

/// Puts up to `limit` parked messages back into the queue that they came from, with fresh attempts. Those
/// of nodes come under their own keys, which say who sent them. What fails and is parked again meanwhile
/// stays parked: it comes behind those that were counted at the start.
///
/// # Errors
/// The broker doesn't answer; messages not yet replayed stay parked.
pub async fn replay(bus: &Bus, name: &str, limit: u32) -> Result<u32, BusError> {
    let channel = bus.channel(Purpose::Consume).await?;
    let publisher = bus.publisher().await?;
    let dead = topology::dead_letter_queue(name);
    let is_of_nodes = bus.kept_uplinks().any(|uplink| uplink.name == name);
    let due = count_on(&channel, name).await?.min(limit);
    let mut replayed = 0;
    while replayed < due {
        let got = channel
            .basic_get(dead.as_str().into(), BasicGetOptions::default())
            .await?;
        let Some(message) = got else { break };
        let own_key = headers::key_before_death(&message.properties).filter(|_| is_of_nodes);
        let (exchange, routing_key) = match own_key {
            Some(key) => (MQTT_EXCHANGE, key),
            None => ("", topology::queue(name)),
        };
        publisher
            .publish(Outgoing {
                exchange,
                routing_key,
                body: message.data.clone(),
                properties: headers::replayed(&message.properties),
                must_route: true,
            })
            .await?;
        message.acker.ack(BasicAckOptions::default()).await?;
        replayed += 1;
    }
    channel.close(200, "replayed".into()).await?;
    Ok(replayed)
}
