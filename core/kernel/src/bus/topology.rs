//! Exchanges, queues and bindings (blueprint, "Topologie Broker"; DECISIONS 16; ADMISSION 6).
//!
//! `amq.topic` is the broker's own, so its alternate exchange can't be declared over AMQP: the
//! deployment sets the policy `{"alternate-exchange": "edge.unrouted"}` for `^amq\.topic$`
//! (apply-to exchanges). What that exchange collects is declared here: uplink keys alone, because
//! it would else gather every downlink to a node that is offline.

use lapin::options::{
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::queues::Routing;
use super::{BusError, Uplink};
use crate::config;

/// Where domain events are published.
pub const DOMAIN_EXCHANGE: &str = "domain.events";
/// Where the MQTT plugin publishes and reads.
pub const MQTT_EXCHANGE: &str = "amq.topic";
/// Takes uplink messages that no queue took.
pub const ALTERNATE_EXCHANGE: &str = "edge.unrouted";
/// Keeps the last of them, for the alarm and for reading.
const UNROUTED_QUEUE: &str = "edge.unrouted.q";
const UNROUTED_MAX_MESSAGES: i32 = 10_000;
/// Questions and scans older than this are worth nothing: the edge has gone on.
const UPLINK_TTL_MS: i32 = 2_000;
/// Most of what waits in an uplink queue, whoever sent it.
const MAX_SHORT_LIVED: i32 = 20_000;
const MAX_SHORT_LIVED_BYTES: i64 = 32 * 1024 * 1024;
const MAX_DURABLE_BYTES: i64 = 256 * 1024 * 1024;
const MAX_DEAD_BYTES: i64 = 32 * 1024 * 1024;
/// What a kept message of a node is parked for. One that only had no room (`maxlen`) is none of them: its node
/// sends it again, and among the parked it would push out those that somebody has to look at.
const PARKED_FOR: [&str; 2] = ["rejected", "delivery_limit"];
/// Deliveries of a message that takes the process down with it, before it is parked.
const MAX_DELIVERIES: i32 = 20;

/// `<name>.q`; the name is that of an [`EventQueue`](super::EventQueue).
#[must_use]
pub fn queue(name: &str) -> String {
    format!("{name}.q")
}

/// `<name>.retry.30s.q` and `<name>.retry.2m.q`. The names give the default delays.
#[must_use]
pub fn retry_queues(name: &str) -> [String; 2] {
    [format!("{name}.retry.30s.q"), format!("{name}.retry.2m.q")]
}

/// `<name>.dlq`
#[must_use]
pub fn dead_letter_queue(name: &str) -> String {
    format!("{name}.dlq")
}

/// `<name>.kept.q`: of messages of nodes that are parked when they can't be handled.
#[must_use]
pub(super) fn kept_queue(name: &str) -> String {
    format!("{name}.kept.q")
}

/// Declares everything; declaring again changes nothing. A key that moved to another queue of its
/// context is bound there before it is taken from the old one: between the two a message comes twice,
/// and the inbox takes it once.
pub(super) async fn declare(
    channel: &Channel,
    config: &config::Bus,
    contexts: &[&'static str],
    routing: &Routing,
) -> Result<(), BusError> {
    topic_exchange(channel, DOMAIN_EXCHANGE).await?;
    let queues = routing.queues(contexts);
    for known in &queues {
        let name = known.to_string();
        declare_queues(channel, config, &name).await?;
        for key in routing.keys_of(*known) {
            bind(channel, &queue(&name), DOMAIN_EXCHANGE, key).await?;
        }
    }
    for known in &queues {
        let name = queue(&known.to_string());
        for key in routing.keys_no_longer_of(*known) {
            let arguments = FieldTable::default();
            let (queue, exchange) = (name.as_str().into(), DOMAIN_EXCHANGE.into());
            channel
                .queue_unbind(queue, exchange, key.into(), arguments)
                .await?;
        }
    }
    declare_uplinks(channel, &routing.uplinks).await
}

/// A queue of events with its dead letters and its retries.
async fn declare_queues(
    channel: &Channel,
    config: &config::Bus,
    name: &str,
) -> Result<(), BusError> {
    let main = queue(name);
    let dead = dead_letter_queue(name);
    declare_queue(channel, &dead, quorum()).await?;
    let mut arguments = dead_lettering_to(&dead);
    arguments.insert("x-delivery-limit".into(), MAX_DELIVERIES.into());
    declare_queue(channel, &main, arguments).await?;
    let delays = [config.retry_short_ms, config.retry_long_ms];
    for (retry, delay) in retry_queues(name).iter().zip(delays) {
        let mut arguments = dead_lettering_to(&main);
        arguments.insert(
            "x-message-ttl".into(),
            AMQPValue::LongLongInt(i64::from(delay)),
        );
        declare_queue(channel, retry, arguments).await?;
    }
    Ok(())
}

/// Queues of before, with other arguments, are deleted: what stood in them, nodes send again.
async fn declare_uplinks(channel: &Channel, uplinks: &[Uplink]) -> Result<(), BusError> {
    for uplink in uplinks {
        let name = uplink.queue();
        let arguments = if uplink.is_durable {
            let dead = declare_parking(channel, uplink.name).await?;
            let mut arguments = bounded(quorum(), MAX_DURABLE_BYTES);
            arguments.insert("x-delivery-limit".into(), MAX_DELIVERIES.into());
            arguments.insert("x-dead-letter-exchange".into(), text(&dead));
            arguments
        } else {
            let mut arguments = bounded(FieldTable::default(), MAX_SHORT_LIVED_BYTES);
            arguments.insert("x-message-ttl".into(), UPLINK_TTL_MS.into());
            arguments.insert("x-max-length".into(), MAX_SHORT_LIVED.into());
            arguments
        };
        let options = QueueDeclareOptions {
            durable: uplink.is_durable,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(name.as_str().into(), options, arguments)
            .await?;
        for binding in uplink.bindings {
            bind(channel, &name, MQTT_EXCHANGE, binding.key).await?;
        }
        for former in uplink.former_queues() {
            let options = QueueDeleteOptions::default();
            channel.queue_delete(former.into(), options).await?;
        }
    }
    topic_exchange(channel, ALTERNATE_EXCHANGE).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), UNROUTED_MAX_MESSAGES.into());
    declare_queue(channel, UNROUTED_QUEUE, arguments).await?;
    bind(channel, UNROUTED_QUEUE, ALTERNATE_EXCHANGE, "ev1.up.#").await
}

/// Where messages of nodes are parked, by the reason that the broker gives. Returns the exchange, which has the
/// name of its queue.
async fn declare_parking(channel: &Channel, name: &str) -> Result<String, BusError> {
    let dead = dead_letter_queue(name);
    exchange(channel, &dead, ExchangeKind::Headers).await?;
    declare_queue(channel, &dead, bounded(quorum(), MAX_DEAD_BYTES)).await?;
    for reason in PARKED_FOR {
        let mut arguments = FieldTable::default();
        // Without "-with-x", headers that begin with "x-" are not looked at.
        arguments.insert("x-match".into(), text("all-with-x"));
        arguments.insert("x-first-death-reason".into(), text(reason));
        let (queue, exchange) = (dead.as_str().into(), dead.as_str().into());
        channel
            .queue_bind(
                queue,
                exchange,
                "".into(),
                QueueBindOptions::default(),
                arguments,
            )
            .await?;
    }
    Ok(dead)
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments
}

/// `at-least-once` and `reject-publish` together: without both, RabbitMQ loses what expires.
fn dead_lettering_to(queue: &str) -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(queue));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

/// The oldest messages go first: of scans and questions they are worth the least, and journal rows nodes
/// send again.
fn bounded(mut arguments: FieldTable, bytes: i64) -> FieldTable {
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

async fn topic_exchange(channel: &Channel, name: &str) -> Result<(), BusError> {
    exchange(channel, name, ExchangeKind::Topic).await
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), BusError> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(name.into(), kind, options, FieldTable::default())
        .await?;
    Ok(())
}

async fn declare_queue(
    channel: &Channel,
    name: &str,
    arguments: FieldTable,
) -> Result<(), BusError> {
    channel
        .queue_declare(name.into(), QueueDeclareOptions::durable(), arguments)
        .await?;
    Ok(())
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), BusError> {
    let options = QueueBindOptions::default();
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            options,
            FieldTable::default(),
        )
        .await?;
    Ok(())
}
