//! One connection, from the handshake to its end. The only file that uses `rumqttc`.

use std::{error::Error, io, sync::Arc, time::Duration};

use eventify_protocol::{
    ids::NodeId,
    sync::{Envelope, MAX_MESSAGE_BYTES, Up, topic},
};
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS, SubscribeReasonCode,
    TlsConfiguration, Transport,
};
use rustls::AlertDescription;
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout_at},
};

use super::{Access, Ends, LinkEvent, Settings, decode, is_ephemeral};

const KEEP_ALIVE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT_SECONDS: u64 = 3;
/// Requests that the library holds before they are written: as few as it can work with, so that a
/// scan never waits behind more than this.
const LIBRARY_QUEUE: usize = 2;
/// Topic, packet id and header beside the message.
const PACKET_OVERHEAD: usize = 256;

/// How a connection ended.
pub(super) struct Ended {
    pub(super) was_connected: bool,
    pub(super) reason: Reason,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0}")]
    Lost(#[from] Box<rumqttc::ConnectionError>),
    #[error("nothing was received for too long")]
    Silent,
    #[error("the broker refused the subscription to the node's own topics")]
    Refused,
    #[error("the MQTT client has stopped")]
    Client,
    #[error("the node is stopping")]
    Stopping,
}

impl Reason {
    /// Whether the broker has refused the node's certificate because its time is over.
    pub(super) fn is_expired_certificate(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let tls = match error.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
                None => error.downcast_ref(),
            };
            if let Some(rustls::Error::AlertReceived(alert)) = tls {
                return *alert == AlertDescription::CertificateExpired;
            }
            cause = error.source();
        }
        false
    }
}

/// Connects, subscribes, and carries messages both ways until something fails. The library's event
/// loop lives only here.
pub(super) async fn run(settings: &mut Settings, ends: &mut Ends) -> Ended {
    let access = Arc::clone(&settings.access.borrow_and_update());
    let (client, event_loop) = build(settings.node, &access);
    let filter = topic::down_filter(settings.node);
    if client.try_subscribe(filter, QoS::AtLeastOnce).is_err() {
        return Ended {
            was_connected: false,
            reason: Reason::Client,
        };
    }
    let subscribed = Notify::new();
    let mut receiver = Receiver {
        settings,
        events: &ends.events,
        subscribed: &subscribed,
        connected: false,
    };
    // Two long futures side by side: the library's future is never cancelled between two packets.
    let reason = tokio::select! {
        reason = receiver.run(event_loop) => reason,
        reason = send(settings, &client, (&mut ends.urgent, &mut ends.normal), &subscribed) => reason,
    };
    Ended {
        was_connected: receiver.connected,
        reason,
    }
}

fn build(node: NodeId, access: &Access) -> (AsyncClient, EventLoop) {
    let Access { broker, tls } = access;
    let mut options = MqttOptions::new(node.to_string(), &broker.host, broker.port);
    let limit = MAX_MESSAGE_BYTES + PACKET_OVERHEAD;
    options
        .set_clean_session(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_max_packet_size(limit, limit)
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(
            Arc::clone(tls),
        )));
    let (client, mut event_loop) = AsyncClient::new(options, LIBRARY_QUEUE);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_TIMEOUT_SECONDS);
    event_loop.set_network_options(network);
    (client, event_loop)
}

struct Receiver<'a> {
    settings: &'a Settings,
    events: &'a mpsc::Sender<LinkEvent>,
    subscribed: &'a Notify,
    connected: bool,
}

impl Receiver<'_> {
    async fn run(&mut self, mut event_loop: EventLoop) -> Reason {
        let silence = self.settings.limits.silence;
        let mut deadline = Instant::now() + silence;
        loop {
            let event = match timeout_at(deadline, event_loop.poll()).await {
                Err(_) => return Reason::Silent,
                Ok(Err(error)) => return Reason::Lost(Box::new(error)),
                Ok(Ok(event)) => event,
            };
            let Event::Incoming(packet) = event else {
                continue;
            };
            if let Err(reason) = self.on_packet(packet).await {
                return reason;
            }
            deadline = Instant::now() + silence;
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other packets are the library's business"
    )]
    async fn on_packet(&mut self, packet: Packet) -> Result<(), Reason> {
        let event = match packet {
            Packet::SubAck(ack) => {
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    return Err(Reason::Refused);
                }
                self.connected = true;
                self.subscribed.notify_one();
                LinkEvent::Connected
            }
            Packet::Publish(publish) => {
                match decode(self.settings.node, &publish.topic, &publish.payload) {
                    Ok(message) => LinkEvent::Message(Box::new(message)),
                    Err(error) => {
                        tracing::warn!(
                            code = "link.message_invalid",
                            reason = error.code(),
                            %error,
                            topic = publish.topic,
                            "a message of the broker is not a valid message of the core; it is ignored"
                        );
                        return Ok(());
                    }
                }
            }
            _ => return Ok(()),
        };
        self.events.send(event).await.map_err(|_| Reason::Stopping)
    }
}

type Queue = mpsc::Receiver<Envelope<Up>>;

async fn send(
    settings: &Settings,
    client: &AsyncClient,
    (urgent, normal): (&mut Queue, &mut Queue),
    subscribed: &Notify,
) -> Reason {
    subscribed.notified().await;
    loop {
        let message = tokio::select! {
            biased;
            message = urgent.recv() => message,
            message = normal.recv() => message,
        };
        let Some(message) = message else {
            return Reason::Stopping;
        };
        let topic = topic::up(settings.node, &message.body);
        let qos = if is_ephemeral(&message.body) {
            QoS::AtMostOnce
        } else {
            QoS::AtLeastOnce
        };
        if client
            .publish(topic, qos, false, message.to_bytes())
            .await
            .is_err()
        {
            return Reason::Client;
        }
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::ConnectionError;

    use super::*;

    fn refused_with(alert: AlertDescription) -> Reason {
        let error = io::Error::new(
            io::ErrorKind::InvalidData,
            rustls::Error::AlertReceived(alert),
        );
        Reason::Lost(Box::new(ConnectionError::Io(error)))
    }

    #[test]
    fn only_an_expired_certificate_asks_for_a_renewal() {
        assert!(refused_with(AlertDescription::CertificateExpired).is_expired_certificate());
        assert!(!refused_with(AlertDescription::UnknownCA).is_expired_certificate());
        assert!(!Reason::Silent.is_expired_certificate());
    }
}
