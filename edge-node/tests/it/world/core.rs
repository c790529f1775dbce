//! A scripted core: one venue's feed in memory, the product's own pure decisions, and real RabbitMQ
//! between it and the node.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Path as UrlPath, routing::post};
use eventify_edge::{clock::new_id, identity::Identity};
use eventify_protocol::{
    enrolment::BrokerAddress,
    ids::{PersonId, ScannerId},
    sync::{
        Config, Digest, Down, Envelope, FeedEntry, HolderKeys, PerformanceKey, PersonEntry,
        PolicyEntry, ScannerChange, ScannersReport, SealedRow, Sender, SignInProgress, Subject, Up,
        Value, topic,
    },
};
use eventify_stack::{FaultProxy, Scope, Stack};
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, PublicKeyData,
    date_time_ymd,
};
use tokio::{task::JoinHandle, time::timeout};

use super::{
    SOON, clock,
    ledger::Ledger,
    venue::{Ticket, Venue},
};

/// A core at the real broker, and the node's line to it.
pub(crate) struct Core {
    pub(crate) line: FaultProxy,
    venue: Arc<Venue>,
    scope: Scope,
    channel: Channel,
    state: Arc<Mutex<Ledger>>,
    listening: JoinHandle<()>,
    _connection: Connection,
}

impl Core {
    /// A core with some tickets, and a node's line to it that can be cut.
    pub(crate) async fn start(tickets: &[Ticket], venue: Arc<Venue>) -> Self {
        let scope = Stack::shared().await.unwrap().scope().await.unwrap();
        scope
            .register_broker_auth(&allow_everything().await)
            .await
            .unwrap();
        let broker = SocketAddr::from(([127, 0, 0, 1], scope.mqtt_port));
        let line = FaultProxy::start(broker).await.unwrap();
        let connection = Connection::connect(&scope.amqp_url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let state = Arc::new(Mutex::new(Ledger::new(&venue, tickets)));
        let listening = listen(&channel, Arc::clone(&venue), Arc::clone(&state)).await;
        Self {
            venue,
            line,
            scope,
            channel,
            state,
            listening,
            _connection: connection,
        }
    }

    /// An identity for the venue's node, its certificate from the stack's device authority.
    pub(crate) fn identity(&self) -> Identity {
        let common_name = self.scope.common_name(&self.venue.node.to_string());
        let client = self.scope.device_ca.issue(&common_name).unwrap();
        let broker = BrokerAddress {
            host: "localhost".to_owned(),
            port: self.line.address().port(),
            authority: std::fs::read_to_string(&self.scope.broker_ca).unwrap(),
        };
        self.venue
            .identity_with(broker, client.certificate, client.key)
    }

    /// The authority that signs certificates of nodes, and its own certificate.
    pub(crate) fn devices(&self) -> (Issuer<'static, KeyPair>, String) {
        let devices = &self.scope.device_ca;
        let certificate = std::fs::read_to_string(&devices.certificate).unwrap();
        (devices.issuer().unwrap(), certificate)
    }

    /// A certificate over a key for the venue's node, valid for these seconds from and to now, with
    /// the authority's behind it.
    pub(crate) fn certify(&self, key: &impl PublicKeyData, (from, until): (i64, i64)) -> String {
        let mut parameters = CertificateParams::new(vec![]).unwrap();
        let name = self.scope.common_name(&self.venue.node.to_string());
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let now = clock().wall().0 / 1_000_000;
        let at = |seconds| {
            date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(now + seconds).unwrap())
        };
        (parameters.not_before, parameters.not_after) = (at(from), at(until));
        let (issuer, authority) = self.devices();
        parameters.signed_by(key, &issuer).unwrap().pem() + &authority
    }

    /// Adds entries to the feed and sends them to the node.
    pub(crate) async fn publish(&self, entries: Vec<FeedEntry>) {
        let delta = self.state.lock().unwrap().append(entries);
        self.send(Down::Delta(delta)).await;
    }

    pub(crate) async fn revoke(&self, revoked: bool) {
        self.state.lock().unwrap().revoked = revoked;
        self.send(Down::Config(Config {
            revoked,
            duplicate: None,
            scanners: None,
            time_zone: None,
        }))
        .await;
    }

    /// Says what the clocks of the venue show.
    pub(crate) async fn say_time_zone(&self, name: &str) {
        let revoked = self.state.lock().unwrap().revoked;
        self.send(Down::Config(Config {
            revoked,
            duplicate: None,
            scanners: None,
            time_zone: Some(name.to_owned()),
        }))
        .await;
    }

    /// Orders something of a scanner.
    pub(crate) async fn order(&self, scanner: ScannerId, change: ScannerChange) {
        let config = {
            let mut state = self.state.lock().unwrap();
            state.scanners.order(scanner, change);
            state.scanners.config(state.revoked)
        };
        self.send(config).await;
    }

    /// Waits until the node has reported a list of scanners that is wanted.
    pub(crate) async fn until_scanners(&self, wanted: impl Fn(&ScannersReport) -> bool) {
        let is_reported = || {
            let state = self.state.lock().unwrap();
            state.scanners.report.as_ref().is_some_and(&wanted)
        };
        let reported = async {
            while !is_reported() {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, reported).await.unwrap();
    }

    /// Somebody works at the venue, or does not any more.
    pub(crate) async fn employ(&self, person: PersonId, version: u64, value: Option<PersonEntry>) {
        self.publish(vec![FeedEntry {
            subject: Subject::Person(person),
            version,
            value: value.map(Value::Person),
        }])
        .await;
    }

    /// What the venue wants of its nodes.
    pub(crate) async fn set_policy(&self, version: u64, policy: PolicyEntry) {
        self.publish(vec![FeedEntry {
            subject: Subject::Policy,
            version,
            value: Some(Value::Policy(policy)),
        }])
        .await;
    }

    /// The keys that the node may have of guests' names.
    pub(crate) async fn give_keys(&self, keys: Vec<PerformanceKey>) {
        self.send(Down::HolderKeys(HolderKeys { keys })).await;
    }

    /// All open sign-ins end so.
    pub(crate) async fn end_sign_ins(&self, progress: &SignInProgress) {
        let ended = self.state.lock().unwrap().provider.end(progress);
        for answer in ended {
            self.send(Down::Staff(answer)).await;
        }
    }

    /// The core knows none of the sign-ins any more.
    pub(crate) fn forget_sign_ins(&self) {
        self.state.lock().unwrap().provider.forget();
    }

    /// How many sign-ins were begun.
    pub(crate) fn sign_ins_begun(&self) -> usize {
        self.state.lock().unwrap().provider.begun()
    }

    /// The provider does not answer, or has no device flow.
    pub(crate) fn provider_is(&self, silent: bool, unfit: bool) {
        let provider = &mut self.state.lock().unwrap().provider;
        (provider.is_silent, provider.is_unfit) = (silent, unfit);
    }

    /// Sends something to the node that is no message.
    pub(crate) async fn send_garbage(&self, kind: &str) {
        let key = format!("ev1.down.{}.{kind}", self.venue.node);
        publish(&self.channel, &key, b"this is no CBOR").await;
    }

    async fn send(&self, message: Down) {
        let key = topic::down_key(self.venue.node, &message);
        publish(&self.channel, &key, &envelope(message)).await;
    }

    /// From now on scans get no answer.
    pub(crate) fn mute_scans(&self, mute: bool) {
        self.state.lock().unwrap().mute = mute;
    }

    pub(crate) fn journal(&self) -> Vec<SealedRow> {
        self.state.lock().unwrap().journal.clone()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.state.lock().unwrap().head.digest
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(channel: &Channel, venue: Arc<Venue>, state: Arc<Mutex<Ledger>>) -> JoinHandle<()> {
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..Default::default()
    };
    let queue = channel
        .queue_declare("uplink".into(), exclusive, FieldTable::default())
        .await
        .unwrap();
    let bind = QueueBindOptions::default();
    let name = queue.name().clone();
    channel
        .queue_bind(
            name.clone(),
            "amq.topic".into(),
            "ev1.up.#".into(),
            bind,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let consume = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    };
    let mut consumer = channel
        .basic_consume(name, "core".into(), consume, FieldTable::default())
        .await
        .unwrap();
    let channel = channel.clone();
    tokio::spawn(async move {
        while let Some(Ok(delivery)) = consumer.next().await {
            assert_eq!(
                topic::node_of_key(delivery.routing_key.as_str()),
                Some(venue.node)
            );
            let envelope = Envelope::<Up>::from_bytes(&delivery.data).unwrap();
            assert_eq!(envelope.sender, Sender::Node(venue.node));
            let answers = state
                .lock()
                .unwrap()
                .receive(&venue, envelope.id, envelope.body);
            for answer in answers {
                let key = topic::down_key(venue.node, &answer);
                publish(&channel, &key, &self::envelope(answer)).await;
            }
        }
    })
}

fn envelope(message: Down) -> Vec<u8> {
    Envelope::new(new_id(), Sender::Core, message).to_bytes()
}

async fn publish(channel: &Channel, key: &str, bytes: &[u8]) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel
        .basic_publish("amq.topic".into(), key.into(), options, bytes, properties)
        .await
        .unwrap();
}

/// Answers the broker's requests about clients. The certificate is the check here.
async fn allow_everything() -> String {
    let router = Router::new().route(
        "/broker/{resource}",
        post(|_: UrlPath<String>| async { "allow" }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
