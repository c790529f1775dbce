//! A node's double: enrols over HTTPS, connects with MQTT over mutual TLS, queues what it receives.

use std::time::Duration;

use eventify_kernel::clock::Clock;
use eventify_protocol::enrolment::{EnrolmentAnswer, EnrolmentCode, RenewalAnswer, RenewalRequest};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{BootId, IncarnationId, MessageId, NodeId};
use eventify_protocol::sync::{
    DIGEST_ALGORITHM, Delta, Digest, Down, Envelope, Epoch, Hello, JournalHead, Position, Sender,
    Up, topic,
};
use reqwest::StatusCode;
use rumqttc::{
    AsyncClient, ConnectionError, Event, Incoming, MqttOptions, QoS, TlsConfiguration, Transport,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Venue;

/// Far longer than any answer takes in tests.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Chunks are larger than the client library's own limit.
const MAX_PACKET: usize = 256 * 1024;

/// An enrolled node.
pub(crate) struct Enrolled {
    pub(crate) answer: EnrolmentAnswer,
    pub(crate) key: rcgen::KeyPair,
}

/// A connected node.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) enrolled: Enrolled,
    client: AsyncClient,
    inbox: mpsc::UnboundedReceiver<Down>,
    polling: tokio::task::JoinHandle<()>,
}

/// `Hello` of a node whose replica is at this position, or empty.
pub(crate) fn hello(held: Option<(Epoch, Position, Digest)>) -> Hello {
    Hello {
        boot: BootId(Uuid::nil()),
        epoch: held.map(|(epoch, ..)| epoch),
        head: held.map_or(Position(0), |(_, position, _)| position),
        digest: held.map(|(.., digest)| digest),
        algorithms: vec![DIGEST_ALGORITHM],
        journal: JournalHead::empty(IncarnationId(Uuid::nil())),
        software: "test".to_owned(),
        session: None,
        sent_after: None,
    }
}

impl Node {
    /// Uses a code with a new key.
    pub(crate) async fn enrol(venue: &Venue, code: &str) -> Result<Enrolled, (StatusCode, Value)> {
        let key = rcgen::KeyPair::generate().unwrap();
        let answer = enrol_with(venue, code, &key).await?;
        Ok(Enrolled { answer, key })
    }

    /// Sends a message.
    pub(crate) async fn send(&self, message: Up) -> MessageId {
        let id = MessageId(Clock::system().new_id());
        let topic = topic::up(self.id, &message);
        let envelope = Envelope::new(id, Sender::Node(self.id), message);
        self.send_raw(&topic, envelope.to_bytes()).await;
        id
    }

    /// Sends any bytes on any topic.
    pub(crate) async fn send_raw(&self, topic: &str, bytes: Vec<u8>) {
        self.client
            .publish(topic, QoS::AtLeastOnce, false, bytes)
            .await
            .unwrap();
    }

    /// The next message that `pick` takes; others are skipped.
    pub(crate) async fn receive<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(Down) -> Option<T>,
    ) -> T {
        let receiving = async {
            loop {
                let message = self.inbox.recv().await.expect("the connection holds");
                if let Some(picked) = pick(message) {
                    return picked;
                }
            }
        };
        tokio::time::timeout(TIMEOUT, receiving)
            .await
            .unwrap_or_else(|_| panic!("never received {what}"))
    }

    /// The next delta.
    pub(crate) async fn delta(&mut self) -> Delta {
        self.receive("a delta", |message| match message {
            Down::Delta(delta) => Some(delta),
            _ => None,
        })
        .await
    }

    /// A message that it sent before and that has waited in the broker.
    pub(crate) async fn send_late(&self, venue: &Venue, message: Up) {
        let id = MessageId(Clock::system().new_id());
        let key = topic::up(self.id, &message).replace('/', ".");
        let envelope = Envelope::new(id, Sender::Node(self.id), message);
        venue
            .core
            .app()
            .bus
            .send_down(&key, &envelope.to_bytes())
            .await
            .unwrap();
    }

    /// What it receives until the connection is closed.
    pub(crate) async fn receive_rest(&mut self) -> Vec<Down> {
        let mut rest = Vec::new();
        let closing = async {
            while let Some(message) = self.inbox.recv().await {
                rest.push(message);
            }
        };
        tokio::time::timeout(TIMEOUT, closing)
            .await
            .expect("the connection is closed");
        rest
    }

    /// What it has received until now.
    pub(crate) fn received(&mut self) -> Vec<Down> {
        std::iter::from_fn(|| self.inbox.try_recv().ok()).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

/// `POST /fleet/enrolments`, trusting only the authority that the code names.
pub(crate) async fn enrol_with(
    venue: &Venue,
    code: &str,
    key: &rcgen::KeyPair,
) -> Result<EnrolmentAnswer, (StatusCode, Value)> {
    let pem = std::fs::read(&venue.core.scope.device_ca.certificate).unwrap();
    enrol_trusting(&pem, code, key).await
}

/// The same, of a core that has another authority. The first certificate counts.
pub(crate) async fn enrol_trusting(
    authority: &[u8],
    code: &str,
    key: &rcgen::KeyPair,
) -> Result<EnrolmentAnswer, (StatusCode, Value)> {
    let code: EnrolmentCode = code.parse().unwrap();
    let der = CertificateDer::from_pem_slice(authority).unwrap();
    assert_eq!(
        code.authority,
        Hash32::of(&der),
        "the code names the authority"
    );
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_der(&der).unwrap()])
        .build()
        .unwrap();
    let request = client
        .post(format!("{}/fleet/enrolments", code.core))
        .json(&json!({ "secret": code.secret.to_text(), "csr": csr(key), "software": "test" }));
    answer(request).await
}

/// `POST /fleet/renewals`. The test's clock runs ahead of that of this client, for which the
/// listener's certificate is not valid yet.
pub(crate) async fn renew_with(
    venue: &Venue,
    node: NodeId,
    key: &rcgen::KeyPair,
) -> Result<RenewalAnswer, (StatusCode, Value)> {
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    let address = venue.core.listener("enrolment");
    let request = client
        .post(format!("https://{address}/fleet/renewals"))
        .json(&RenewalRequest {
            node_id: node,
            csr: csr(key),
        });
    answer(request).await
}

fn csr(key: &rcgen::KeyPair) -> String {
    let request = rcgen::CertificateParams::default().serialize_request(key);
    request.unwrap().pem().unwrap()
}

async fn answer<T: DeserializeOwned>(
    request: reqwest::RequestBuilder,
) -> Result<T, (StatusCode, Value)> {
    let answer = request
        .send()
        .await
        .expect("the listener shows a certificate of the authority");
    let status = answer.status();
    if status.is_success() {
        Ok(answer.json().await.unwrap())
    } else {
        Err((status, answer.json().await.unwrap()))
    }
}

impl Enrolled {
    fn options(&self, client_id: &str) -> MqttOptions {
        let broker = &self.answer.broker;
        let mut options = MqttOptions::new(client_id, broker.host.as_str(), broker.port);
        options
            .set_clean_session(true)
            .set_max_packet_size(MAX_PACKET, MAX_PACKET);
        options.set_transport(Transport::Tls(TlsConfiguration::Simple {
            ca: broker.authority.clone().into_bytes(),
            alpn: None,
            client_auth: Some((
                self.answer.certificate_chain.clone().into_bytes(),
                self.key.serialize_pem().into_bytes(),
            )),
        }));
        options
    }

    /// Tries to connect under a client id.
    pub(crate) async fn try_connect(
        &self,
        client_id: &str,
    ) -> Result<(AsyncClient, rumqttc::EventLoop), ConnectionError> {
        let (client, mut events) = AsyncClient::new(self.options(client_id), 64);
        let connecting = async {
            loop {
                if let Event::Incoming(Incoming::ConnAck(_)) = events.poll().await? {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(TIMEOUT, connecting)
            .await
            .expect("the broker answers")
            .map(|()| (client, events))
    }

    /// Connects and subscribes to its own topics.
    pub(crate) async fn connect(self, _: &Venue) -> Node {
        let id = self.answer.node_id;
        let (client, mut events) = self.try_connect(&id.to_string()).await.unwrap();
        client
            .subscribe(topic::down_filter(id), QoS::AtMostOnce)
            .await
            .unwrap();
        while !matches!(
            events.poll().await,
            Ok(Event::Incoming(Incoming::SubAck(_)))
        ) {}
        let (outbox, inbox) = mpsc::unbounded_channel();
        let polling = tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                if let Event::Incoming(Incoming::Publish(publish)) = event {
                    let envelope = Envelope::<Down>::from_bytes(&publish.payload).unwrap();
                    assert_eq!(envelope.sender, Sender::Core);
                    if outbox.send(envelope.body).is_err() {
                        return;
                    }
                }
            }
        });
        Node {
            id,
            enrolled: self,
            client,
            inbox,
            polling,
        }
    }
}
