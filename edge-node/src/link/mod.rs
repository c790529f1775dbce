//! The connection to the core: MQTT 3.1.1 over mutual TLS.
//!
//! Nothing is stored here. The client library loses its queue when a connection ends, so it is never
//! given more than it can write at once, and on any error its event loop is replaced by a new one.
//! What has to arrive is sent again by the machine until the core itself has acknowledged it.
//! `Connected` means that the node is subscribed and receives what is sent to it.

mod connection;
mod tls;

use std::{sync::Arc, time::Duration};

use eventify_protocol::{
    enrolment::BrokerAddress,
    ids::NodeId,
    sync::{Down, Envelope, Sender, Up, WireError, topic},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{clock, config::LinkConfig, identity::Identity};

pub(crate) use tls::{check_identity, client_config};

/// Messages received and not yet taken by the owner; with more, the connection is not read.
const RECEIVED_CAPACITY: usize = 64;
/// Messages in each of the two queues to the broker; more are dropped, as without a connection.
const QUEUE_CAPACITY: usize = 1_024;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// After a connection that lasted this long, the next attempt comes soon.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub enum LinkEvent {
    /// Messages can be sent and received.
    Connected,
    Disconnected,
    /// From the core.
    Message(Box<Envelope<Down>>),
}

/// The owner's end.
#[derive(Debug)]
pub struct Link {
    /// Scans and questions, sent before all else.
    urgent: mpsc::Sender<Envelope<Up>>,
    /// Journal and control.
    normal: mpsc::Sender<Envelope<Up>>,
    pub events: mpsc::Receiver<LinkEvent>,
}

/// The ends of the task that keeps the connection.
pub(crate) struct Ends {
    pub(crate) urgent: mpsc::Receiver<Envelope<Up>>,
    pub(crate) normal: mpsc::Receiver<Envelope<Up>>,
    pub(crate) events: mpsc::Sender<LinkEvent>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) node: NodeId,
    pub(crate) access: watch::Receiver<Arc<Access>>,
    /// Told when the broker calls the node's certificate expired.
    pub(crate) expired: Arc<Notify>,
    pub(crate) limits: LinkConfig,
}

/// How the broker is reached: its address, and the certificates that both sides show.
pub(crate) struct Access {
    broker: BrokerAddress,
    tls: Arc<rustls::ClientConfig>,
}

impl Access {
    /// # Errors
    /// What is wrong with the identity's certificates.
    pub(crate) fn of(identity: &Identity) -> Result<Self, String> {
        Ok(Self {
            broker: identity.broker.clone(),
            tls: Arc::new(client_config(identity)?),
        })
    }
}

/// Returns the link, and the task that connects it and reconnects it until `stop`.
pub(crate) fn open(
    settings: Settings,
    stop: CancellationToken,
) -> (Link, impl Future<Output = ()> + Send) {
    let (link, ends) = channels();
    (link, async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = keep_open(settings, ends) => {}
        }
    })
}

fn channels() -> (Link, Ends) {
    let (urgent, urgent_queue) = mpsc::channel(QUEUE_CAPACITY);
    let (normal, normal_queue) = mpsc::channel(QUEUE_CAPACITY);
    let (received, events) = mpsc::channel(RECEIVED_CAPACITY);
    (
        Link {
            urgent,
            normal,
            events,
        },
        Ends {
            urgent: urgent_queue,
            normal: normal_queue,
            events: received,
        },
    )
}

impl Link {
    /// Queues a message, or drops it if the connection can't keep up: the machine asks again.
    pub fn send(&self, message: Envelope<Up>) {
        let queue = if is_urgent(&message.body) {
            &self.urgent
        } else {
            &self.normal
        };
        if queue.try_send(message).is_err() {
            tracing::warn!(
                code = "link.queue_full",
                "the connection is too slow for the messages to the core; one was dropped"
            );
        }
    }
}

/// Messages that are useless later need no acknowledgement.
fn is_ephemeral(message: &Up) -> bool {
    match message {
        Up::Scan(_) | Up::Ask(_) | Up::Health(_) | Up::Scanners(_) | Up::Staff(_) => true,
        Up::Hello(_) | Up::Journal(_) | Up::Pull(_) => false,
    }
}

fn is_urgent(message: &Up) -> bool {
    match message {
        Up::Scan(_) | Up::Ask(_) => true,
        Up::Hello(_)
        | Up::Journal(_)
        | Up::Health(_)
        | Up::Pull(_)
        | Up::Scanners(_)
        | Up::Staff(_) => false,
    }
}

async fn keep_open(mut settings: Settings, mut ends: Ends) {
    let mut backoff = FIRST_BACKOFF;
    loop {
        clear_queues(&mut ends);
        let begun = Instant::now();
        let ended = connection::run(&mut settings, &mut ends).await;
        if ends.events.send(LinkEvent::Disconnected).await.is_err() {
            return;
        }
        if ended.was_connected && begun.elapsed() >= GOOD_CONNECTION {
            backoff = FIRST_BACKOFF;
        }
        if ended.reason.is_expired_certificate() {
            settings.expired.notify_one();
        }
        let pause = clock::jittered(backoff);
        tracing::info!(
            code = "link.disconnected",
            reason = %ended.reason,
            retry_in = ?pause,
            "not connected to the core's broker"
        );
        sleep(pause).await;
        backoff = (backoff * 2).min(settings.limits.max_backoff);
    }
}

/// Messages for an earlier connection are stale: the machine sends again what still counts.
fn clear_queues(ends: &mut Ends) {
    while ends.urgent.try_recv().is_ok() {}
    while ends.normal.try_recv().is_ok() {}
}

/// Decodes a message and checks that it is from the core and of the kind that its topic names.
fn decode(node: NodeId, topic: &str, payload: &[u8]) -> Result<Envelope<Down>, InvalidMessage> {
    let envelope = Envelope::<Down>::from_bytes(payload)?;
    let expected = format!("ev1/down/{node}/{}", topic::down_kind(&envelope.body));
    if envelope.sender == Sender::Core && topic == expected {
        Ok(envelope)
    } else {
        Err(InvalidMessage::Misplaced)
    }
}

/// Why a message is ignored.
#[derive(Debug, thiserror::Error)]
enum InvalidMessage {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("its sender or kind is not that of its topic")]
    Misplaced,
}

impl InvalidMessage {
    fn code(&self) -> &'static str {
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
        let body = Down::Config(Config {
            revoked: false,
            duplicate: None,
            scanners: None,
            time_zone: None,
        });
        Envelope::new(MessageId(Uuid::from_u128(1)), sender, body).to_bytes()
    }

    #[test]
    fn a_message_is_accepted_only_on_its_own_topic_and_from_the_core() {
        let node = NodeId(Uuid::from_u128(7));
        let topic = format!("ev1/down/{node}/config");
        assert!(decode(node, &topic, &config(Sender::Core)).is_ok());
        let other = format!("ev1/down/{node}/ack");
        assert_eq!(
            decode(node, &other, &config(Sender::Core))
                .unwrap_err()
                .code(),
            "message_misplaced"
        );
        let forged = config(Sender::Node(node));
        assert_eq!(
            decode(node, &topic, &forged).unwrap_err().code(),
            "message_misplaced"
        );
        assert_eq!(
            decode(node, &topic, b"{}").unwrap_err().code(),
            "message_malformed"
        );
    }
}
