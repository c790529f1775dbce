//! The pipe to the core: MQTT 3.1.1 over mutual TLS.
//!
//! Nothing is kept here. The client library forgets what it has queued when a connection ends, so it
//! is never given more than it can write at once, and its event loop is thrown away on any error and
//! made anew. What has to arrive is sent again by the machine until the core itself has acknowledged
//! it. `Connected` means that the node hears what is sent to it: the subscription stands.

mod connection;
mod tls;

use std::time::Duration;

use eventify_protocol::{
    enrolment::BrokerAddress,
    ids::NodeId,
    sync::{Down, Envelope, Sender, Up, WireError, topic},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{clock, config::LinkConfig, identity::Identity};

pub(crate) use tls::{check_identity, client_config};

/// Messages heard and not yet taken by the owner; then the line is read no further.
const HEARD_CAPACITY: usize = 64;
/// Messages said and not yet written, of each of the two kinds; more are dropped, as on a line that
/// is down.
const SAID_CAPACITY: usize = 1_024;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// A connection that lasted this long was a good one: the next attempt comes soon.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// What the line tells the owner.
#[derive(Debug)]
pub enum LinkEvent {
    /// Messages can be sent and will be heard.
    Connected,
    /// The line is down.
    Disconnected,
    /// The core says something.
    Message(Box<Envelope<Down>>),
}

/// What the owner holds of the link.
#[derive(Debug)]
pub struct Link {
    /// Scans and questions, before all else.
    urgent: mpsc::Sender<Envelope<Up>>,
    /// Journal, control.
    patient: mpsc::Sender<Envelope<Up>>,
    /// What was heard.
    pub events: mpsc::Receiver<LinkEvent>,
}

/// The other ends, which the task works on.
pub(crate) struct Ends {
    pub(crate) urgent: mpsc::Receiver<Envelope<Up>>,
    pub(crate) patient: mpsc::Receiver<Envelope<Up>>,
    pub(crate) events: mpsc::Sender<LinkEvent>,
}

/// Everything that a connection is made with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) node: NodeId,
    pub(crate) broker: BrokerAddress,
    pub(crate) tls: std::sync::Arc<rustls::ClientConfig>,
    pub(crate) limits: LinkConfig,
}

/// Opens the line and keeps it open until `stop`.
///
/// # Errors
/// What is wrong with the identity's certificates.
pub fn open(
    identity: &Identity,
    limits: LinkConfig,
    stop: CancellationToken,
) -> Result<(Link, impl Future<Output = ()> + Send + use<>), String> {
    let settings = Settings {
        node: identity.node_id,
        broker: identity.broker.clone(),
        tls: std::sync::Arc::new(tls::client_config(identity)?),
        limits,
    };
    let (link, ends) = channels();
    Ok((link, async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = keep_open(settings, ends) => {}
        }
    }))
}

/// A link whose other ends somebody else holds.
pub(crate) fn channels() -> (Link, Ends) {
    let (urgent, urgent_said) = mpsc::channel(SAID_CAPACITY);
    let (patient, patient_said) = mpsc::channel(SAID_CAPACITY);
    let (heard, events) = mpsc::channel(HEARD_CAPACITY);
    (
        Link {
            urgent,
            patient,
            events,
        },
        Ends {
            urgent: urgent_said,
            patient: patient_said,
            events: heard,
        },
    )
}

impl Link {
    /// Says something, or drops it if the line can't keep up: the machine asks again.
    pub fn say(&self, message: Envelope<Up>) {
        let queue = if is_urgent(&message.body) {
            &self.urgent
        } else {
            &self.patient
        };
        if queue.try_send(message).is_err() {
            tracing::warn!(
                code = "link_queue_full",
                "the line is slower than what is said; dropped"
            );
        }
    }
}

/// What is worth nothing later need not be acknowledged.
fn is_fleeting(message: &Up) -> bool {
    match message {
        Up::Scan(_) | Up::Ask(_) | Up::Health(_) => true,
        Up::Hello(_) | Up::Journal(_) | Up::Pull(_) => false,
    }
}

/// Scans and questions go first.
fn is_urgent(message: &Up) -> bool {
    match message {
        Up::Scan(_) | Up::Ask(_) => true,
        Up::Hello(_) | Up::Journal(_) | Up::Health(_) | Up::Pull(_) => false,
    }
}

async fn keep_open(settings: Settings, mut ends: Ends) {
    let mut backoff = FIRST_BACKOFF;
    loop {
        drop_unsaid(&mut ends);
        let begun = Instant::now();
        let ended = connection::run(&settings, &mut ends).await;
        if ends.events.send(LinkEvent::Disconnected).await.is_err() {
            return;
        }
        if ended.was_connected && begun.elapsed() >= GOOD_CONNECTION {
            backoff = FIRST_BACKOFF;
        }
        let pause = clock::jittered(backoff);
        tracing::info!(code = "link_down", reason = %ended.reason, retry_in = ?pause, "line is down");
        sleep(pause).await;
        backoff = (backoff * 2).min(settings.limits.max_backoff);
    }
}

/// What was meant for an earlier connection is stale: the machine says anew what counts.
fn drop_unsaid(ends: &mut Ends) {
    while ends.urgent.try_recv().is_ok() {}
    while ends.patient.try_recv().is_ok() {}
}

/// Reads a message and checks that it is what its topic says, from the core.
pub(crate) fn read(node: NodeId, topic: &str, payload: &[u8]) -> Result<Envelope<Down>, NotHeard> {
    let envelope = Envelope::<Down>::from_bytes(payload)?;
    let expected = format!("ev1/down/{node}/{}", topic::down_kind(&envelope.body));
    if envelope.sender == Sender::Core && topic == expected {
        Ok(envelope)
    } else {
        Err(NotHeard::Misplaced)
    }
}

/// Why a message is not listened to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHeard {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("sender or kind differ from the topic")]
    Misplaced,
}

impl NotHeard {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Wire(error) => error.code(),
            Self::Misplaced => "message_misplaced",
        }
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::{ids::MessageId, sync::Config};
    use uuid::Uuid;

    use super::*;

    fn config(sender: Sender) -> Vec<u8> {
        let body = Down::Config(Config { revoked: false });
        Envelope::new(MessageId(Uuid::from_u128(1)), sender, body).to_bytes()
    }

    #[test]
    fn a_message_is_heard_only_on_its_own_topic_and_from_the_core() {
        let node = NodeId(Uuid::from_u128(7));
        let topic = format!("ev1/down/{node}/config");
        assert!(read(node, &topic, &config(Sender::Core)).is_ok());
        let other = format!("ev1/down/{node}/ack");
        assert_eq!(
            read(node, &other, &config(Sender::Core))
                .unwrap_err()
                .code(),
            "message_misplaced"
        );
        let forged = config(Sender::Node(node));
        assert_eq!(
            read(node, &topic, &forged).unwrap_err().code(),
            "message_misplaced"
        );
        assert_eq!(
            read(node, &topic, b"{}").unwrap_err().code(),
            "message_malformed"
        );
    }
}
