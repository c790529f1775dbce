//! Domain events: what a context tells the others, and the CloudEvents 1.0 envelope around it.
//!
//! An event is a plain struct in its context's `events.rs`; [`domain_events!`](crate::domain_events)
//! gives it its type and its aggregate. The routing key belongs to the type and stands in
//! [`routing`](crate::routing).

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
    /// CloudEvents `type`, a key of [`routing::ROUTES`](crate::routing::ROUTES).
    const TYPE: &'static str;
    /// Raised when the schema changes incompatibly.
    const SCHEMA_VERSION: i32 = 1;
    /// Whether a venue's feed waits for it: the watermark stands until `fleet` has settled the row.
    const FEEDS_VENUES: bool = false;

    /// The aggregate that it happened to; CloudEvents `subject`.
    fn aggregate_id(&self) -> Uuid;
}

/// Implements [`DomainEvent`]: `domain_events! { OrderPaid: "order.paid" of order_id; }`, with
/// `feeds venues` at the end of the line where the edges need it.
#[macro_export]
macro_rules! domain_events {
    ($($name:ident: $type:literal of $field:ident $($feeds:ident venues)?;)+) => {
        $(impl $crate::event::DomainEvent for $name {
            const TYPE: &'static str = $type;
            $(const FEEDS_VENUES: bool = { stringify!($feeds); true };)?

            fn aggregate_id(&self) -> ::uuid::Uuid {
                self.$field.into()
            }
        })+

        /// The schemas of everything that this context publishes.
        #[must_use]
        pub fn schemas() -> Vec<$crate::event::EventSchema> {
            vec![$($crate::event::EventSchema::of::<$name>()),+]
        }
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

/// The JSON Schema of one event type's data.
#[derive(Clone, Debug)]
pub struct EventSchema {
    /// Event type.
    pub kind: &'static str,
    /// JSON Schema, draft 2020-12.
    pub schema: Value,
}

impl EventSchema {
    /// Generated from the type.
    #[must_use]
    pub fn of<E: DomainEvent>() -> Self {
        Self {
            kind: E::TYPE,
            schema: schemars::schema_for!(E).to_value(),
        }
    }
}
