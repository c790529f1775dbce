//! Exchanges, queues and bindings (blueprint, "Topologie Broker"; DECISIONS 16; ADMISSION 6).
//!
//! `amq.topic` is the broker's own, so its alternate exchange can't be declared over AMQP: the
//! deployment sets the policy `{"alternate-exchange": "edge.unrouted"}` for `^amq\.topic$`
//! (apply-to exchanges). What that exchange collects is declared here: uplink keys alone, because
//! it would else gather every downlink to a node that is offline.

use std::collections::BTreeSet;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::{BusError, Uplink};
use crate::config;

/// Which messages go where, as the contracts define.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Context and routing key: what each context's queue is bound to.
    pub bindings: BTreeSet<(&'static str, &'static str)>,
    /// Event types that at least one queue must receive.
    pub awaited: BTreeSet<&'static str>,
    pub uplinks: Vec<Uplink>,
}

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
/// Deliveries of a message that takes the process down with it, before it is parked.
const MAX_DELIVERIES: i32 = 20;

/// `<context>.q`
#[must_use]
pub fn queue(context: &str) -> String {
    format!("{context}.q")
}

/// `<context>.retry.30s.q` and `<context>.retry.2m.q`. The names give the default delays.
#[must_use]
pub fn retry_queues(context: &str) -> [String; 2] {
    [
        format!("{context}.retry.30s.q"),
        format!("{context}.retry.2m.q"),
    ]
}

/// `<context>.dlq`
#[must_use]
pub fn dead_letter_queue(context: &str) -> String {
    format!("{context}.dlq")
}

/// Declares everything; declaring again changes nothing.
pub(super) async fn declare(
    channel: &Channel,
    config: &config::Bus,
    contexts: &[&'static str],
    routing: &Routing,
) -> Result<(), BusError> {
    topic_exchange(channel, DOMAIN_EXCHANGE).await?;
    for context in contexts {
        declare_context(channel, config, context).await?;
        let keys = routing.bindings.iter().filter(|(name, _)| name == context);
        for (_, key) in keys {
            bind(channel, &queue(context), DOMAIN_EXCHANGE, key).await?;
        }
    }
    declare_uplinks(channel, &routing.uplinks).await
}

async fn declare_context(
    channel: &Channel,
    config: &config::Bus,
    context: &str,
) -> Result<(), BusError> {
    let main = queue(context);
    let dead = dead_letter_queue(context);
    declare_queue(channel, &dead, quorum()).await?;
    let mut arguments = dead_lettering_to(&dead);
    arguments.insert("x-delivery-limit".into(), MAX_DELIVERIES.into());
    declare_queue(channel, &main, arguments).await?;
    let delays = [config.retry_short_ms, config.retry_long_ms];
    for (name, delay) in retry_queues(context).iter().zip(delays) {
        let mut arguments = dead_lettering_to(&main);
        arguments.insert(
            "x-message-ttl".into(),
            AMQPValue::LongLongInt(i64::from(delay)),
        );
        declare_queue(channel, name, arguments).await?;
    }
    Ok(())
}

async fn declare_uplinks(channel: &Channel, uplinks: &[Uplink]) -> Result<(), BusError> {
    for uplink in uplinks {
        let arguments = if uplink.is_durable {
            quorum()
        } else {
            short_lived()
        };
        let options = QueueDeclareOptions {
            durable: uplink.is_durable,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(uplink.queue.into(), options, arguments)
            .await?;
        for key in uplink.bindings {
            bind(channel, uplink.queue, MQTT_EXCHANGE, key).await?;
        }
    }
    topic_exchange(channel, ALTERNATE_EXCHANGE).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), UNROUTED_MAX_MESSAGES.into());
    declare_queue(channel, UNROUTED_QUEUE, arguments).await?;
    bind(channel, UNROUTED_QUEUE, ALTERNATE_EXCHANGE, "ev1.up.#").await
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

fn short_lived() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), UPLINK_TTL_MS.into());
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

async fn topic_exchange(channel: &Channel, name: &str) -> Result<(), BusError> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            name.into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        )
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
