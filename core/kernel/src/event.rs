//! Domain events, by which contexts inform each other, and their CloudEvents 1.0 envelope.
//!
//! An event is a plain struct; one line of [`domain_events!`](crate::domain_events) gives it its type,
//! publisher, routing key and aggregate.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::CorrelationId;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::cause::Cause;

/// Something that happened, as the other contexts may know it. Past tense, self-sufficient.
pub trait DomainEvent: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// CloudEvents `type`.
    const TYPE: &'static str;
    /// The context that publishes it.
    const PUBLISHER: &'static str;
    /// Routing key on the exchange of domain events.
    const ROUTING_KEY: &'static str;
    /// Raised when the schema changes incompatibly.
    const SCHEMA_VERSION: i32 = 1;
    /// Whether its effect is tracked: the outbox row stays open until the consumer that projects it
    /// has marked it ([`outbox::mark_projected`](crate::db::outbox::mark_projected)).
    const TRACKED: bool = false;

    /// The projections that a tracked event may change, by their keys; none: perhaps every one. No other
    /// waits for its effect.
    fn projections(&self) -> Option<Vec<Uuid>> {
        None
    }

    /// The aggregate that it happened to; CloudEvents `subject`.
    fn aggregate_id(&self) -> Uuid;
}

/// Implements [`DomainEvent`] for the events of one context, and lists them:
///
/// ```ignore
/// domain_events! { "payment":
///     PaymentCaptured: "payment.captured" as "payment.captured" of order_id;
///     RefundFailed: "refund.failed" as "payment.refund.failed" of refund_id, tracked by accounts;
/// }
/// ```
/// Type, routing key, field of the aggregate's id; `tracked` where a projection has to be known to
/// hold it ([`DomainEvent::TRACKED`]), `by` the method of the event that lists which
/// ([`DomainEvent::projections`]).
#[macro_export]
macro_rules! domain_events {
    ($publisher:literal:
        $($name:ident: $type:literal as $key:literal of $field:ident
            $(, $tracked:ident $(by $projections:ident)?)?;)+) => {
        $(impl $crate::event::DomainEvent for $name {
            const TYPE: &'static str = $type;
            const PUBLISHER: &'static str = $publisher;
            const ROUTING_KEY: &'static str = $key;
            $(const TRACKED: bool = $crate::tracked_event!($tracked);

            $(fn projections(&self) -> Option<Vec<::uuid::Uuid>> {
                Some(self.$projections().into_iter().map(Into::into).collect())
            })?)?

            fn aggregate_id(&self) -> ::uuid::Uuid {
                self.$field.into()
            }
        })+

        /// Everything that this context publishes.
        #[must_use]
        pub fn events() -> Vec<$crate::event::EventType> {
            vec![$($crate::event::EventType::of::<$name>()),+]
        }
    };
}

/// The one word that may end a line of [`domain_events!`](crate::domain_events).
#[doc(hidden)]
#[macro_export]
macro_rules! tracked_event {
    (tracked) => {
        true
    };
}

/// An event that was received: the envelope's facts and the typed data.
#[derive(Clone, Debug)]
pub struct Received<E> {
    /// Message id; the inbox and inner idempotency keys hang on it.
    pub id: Uuid,
    /// When the publishing transaction wrote it.
    pub time: DateTime<Utc>,
    /// Version of the aggregate after the event. Order is not promised: compare, don't assume.
    pub aggregate_version: i32,
    /// What started this chain of work.
    pub cause: Cause,
    /// The event.
    pub data: E,
}

/// CloudEvents 1.0, structured JSON. The names of extensions are lower case, as the spec demands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: String,
    /// Message id.
    pub id: Uuid,
    /// `/eventify/<context>`.
    pub source: String,
    /// Event type, `payment.captured`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Aggregate id.
    pub subject: String,
    /// When the transaction that wrote it began.
    pub time: DateTime<Utc>,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The event itself.
    pub data: Value,
    /// Extension: the chain of work.
    pub correlationid: CorrelationId,
    /// Extension: W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Extension: W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// Extension: version of the aggregate.
    pub aggregateversion: i32,
    /// Extension: version of the data's schema.
    pub schemaversion: i32,
}

/// Why a message is malformed. Such a message goes to the dead letter queue at once.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The body is no CloudEvents 1.0 envelope.
    #[error("no CloudEvents 1.0 envelope: {0}")]
    Envelope(String),
    /// The data doesn't fit its schema.
    #[error("data of {kind} does not fit its schema: {reason}")]
    Data {
        /// Event type.
        kind: String,
        /// First misfit.
        reason: String,
    },
}

impl Envelope {
    /// Reads a message body.
    ///
    /// # Errors
    /// [`Malformed::Envelope`].
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let envelope: Self =
            serde_json::from_slice(body).map_err(|error| Malformed::Envelope(error.to_string()))?;
        if envelope.specversion != "1.0" {
            return Err(Malformed::Envelope(format!(
                "specversion {}",
                envelope.specversion
            )));
        }
        Ok(envelope)
    }

    /// The chain of work that the message belongs to.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause {
            correlation: self.correlationid,
            traceparent: self.traceparent.clone(),
            tracestate: self.tracestate.clone(),
        }
    }

    /// The publishing context: the last part of `source`.
    #[must_use]
    pub fn context(&self) -> &str {
        self.source.rsplit('/').next().unwrap_or_default()
    }

    /// The typed event.
    ///
    /// # Errors
    /// [`Malformed::Data`].
    pub fn open<E: DomainEvent>(&self) -> Result<Received<E>, Malformed> {
        let data = E::deserialize(&self.data).map_err(|error| Malformed::Data {
            kind: self.kind.clone(),
            reason: error.to_string(),
        })?;
        Ok(Received {
            id: self.id,
            time: self.time,
            aggregate_version: self.aggregateversion,
            cause: self.cause(),
            data,
        })
    }
}

/// One event type.
#[derive(Clone, Debug)]
pub struct EventType {
    /// CloudEvents `type`.
    pub kind: &'static str,
    /// The context that publishes it.
    pub publisher: &'static str,
    pub routing_key: &'static str,
    /// See [`DomainEvent::TRACKED`].
    pub tracked: bool,
    /// JSON Schema, draft 2020-12, of its data.
    pub schema: Value,
}

impl EventType {
    /// With the schema generated from the type.
    #[must_use]
    pub fn of<E: DomainEvent>() -> Self {
        Self {
            kind: E::TYPE,
            publisher: E::PUBLISHER,
            routing_key: E::ROUTING_KEY,
            tracked: E::TRACKED,
            schema: schemars::schema_for!(E).to_value(),
        }
    }
}
