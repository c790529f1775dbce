//! AMQP headers of domain messages: correlation and trace, attempts and reasons.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::event::Envelope;

const ATTEMPT: &str = "x-eventify-attempt";
const REASON: &str = "x-eventify-reason";
/// Longest reason kept in a header.
const MAX_REASON: usize = 500;
const PERSISTENT: u8 = 2;

/// Of a message that is published for the first time.
pub(super) fn of_event(envelope: &Envelope) -> BasicProperties {
    let mut headers = FieldTable::default();
    if let Some(traceparent) = &envelope.traceparent {
        headers.insert("traceparent".into(), text(traceparent));
    }
    if let Some(tracestate) = &envelope.tracestate {
        headers.insert("tracestate".into(), text(tracestate));
    }
    BasicProperties::default()
        .with_content_type("application/cloudevents+json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(envelope.id.to_string().into())
        .with_correlation_id(envelope.correlationid.to_string().into())
        .with_type(envelope.kind.clone().into())
        .with_headers(headers)
}

/// How often the message has failed before.
pub(super) fn attempt(properties: &BasicProperties) -> u32 {
    match properties
        .headers()
        .as_ref()
        .and_then(|headers| headers.inner().get(ATTEMPT))
    {
        Some(AMQPValue::LongInt(attempt)) => u32::try_from(*attempt).unwrap_or(0),
        Some(_) | None => 0,
    }
}

/// Why the message failed last; else why the broker itself parked it: `delivery_limit`, `maxlen`.
pub(super) fn reason(properties: &BasicProperties) -> Option<String> {
    let ours = properties.headers().as_ref()?.inner().get(REASON);
    let value = ours.or_else(|| death(properties)?.inner().get("reason"))?;
    Some(value.as_long_string()?.to_string())
}

/// The key that it was published with, before the broker parked it.
pub(super) fn key_before_death(properties: &BasicProperties) -> Option<String> {
    let keys = death(properties)?.inner().get("routing-keys")?;
    let first = keys.as_array()?.as_slice().first()?;
    Some(first.as_long_string()?.to_string())
}

/// The first time that the broker parked it.
fn death(properties: &BasicProperties) -> Option<&FieldTable> {
    let deaths = properties.headers().as_ref()?.inner().get("x-death")?;
    deaths.as_array()?.as_slice().last()?.as_field_table()
}

/// The same message after another failure.
pub(super) fn failed(properties: &BasicProperties, attempt: u32, reason: &str) -> BasicProperties {
    let mut headers = properties.headers().clone().unwrap_or_default();
    let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
    headers.insert(ATTEMPT.into(), AMQPValue::LongInt(attempt));
    let reason: String = reason.chars().take(MAX_REASON).collect();
    headers.insert(REASON.into(), text(&reason));
    properties
        .clone()
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

/// The same message, as if it had never failed.
pub(super) fn replayed(properties: &BasicProperties) -> BasicProperties {
    failed(properties, 0, "replayed")
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
