//! The message line holds what it is told to, and nothing else.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use eventify_stack::{ClientIdentity, MessageLine, Scope, Stack, Way};
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS, TlsConfiguration, Transport,
};
use support::AuthDouble;

/// Each test's own: the broker closes a connection whose client id comes again, on any virtual host.
fn node_id(test: u8) -> String {
    format!("0192f0c0-0000-7000-8000-0000000010{test:02}")
}

/// Nothing on loopback takes as long.
const LIMIT: Duration = Duration::from_secs(20);

struct Node {
    id: String,
    line: MessageLine,
    client: AsyncClient,
    events: EventLoop,
    _scope: Scope,
    core: AuthDouble,
}

impl Node {
    /// Connected through a line, and subscribed to what it says itself.
    async fn connect(test: u8) -> Self {
        let id = node_id(test);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let scope = Stack::shared().await.unwrap().scope().await.unwrap();
        let core = AuthDouble::start(|_| true).await;
        scope.register_broker_auth(&core.url).await.unwrap();
        let identity = scope.device_ca.issue(&scope.common_name(&id)).unwrap();
        let line = scope.message_line(&identity).await.unwrap();
        let (client, events) = AsyncClient::new(options(&id, &scope, &line, &identity), 10);
        let mut node = Self {
            id,
            line,
            client,
            events,
            _scope: scope,
            core,
        };
        let all = format!("ev1/+/{}/+", node.id);
        node.client.subscribe(all, QoS::AtMostOnce).await.unwrap();
        node.next(|packet| matches!(packet, Incoming::SubAck(_)).then_some(()))
            .await;
        node
    }

    async fn say(&self, kind: &str, text: &str, qos: QoS) {
        let topic = format!("ev1/up/{}/{kind}", self.id);
        self.client.publish(topic, qos, false, text).await.unwrap();
    }

    async fn hears(&mut self) -> String {
        self.next(|packet| {
            let Incoming::Publish(said) = packet else {
                return None;
            };
            Some(String::from_utf8(said.payload.to_vec()).unwrap())
        })
        .await
    }

    async fn next<T>(&mut self, find: impl Fn(Incoming) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await.unwrap()
                    && let Some(found) = find(packet)
                {
                    return found;
                }
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.unwrap()
    }

    /// Polls the client until a message of this text is held.
    async fn holds(&mut self, way: Way, kind: &str, text: &str) {
        let Self { line, events, .. } = self;
        let held = line.held(way, kind, |payload| {
            (payload == text.as_bytes()).then_some(())
        });
        let polling = async {
            loop {
                events.poll().await.unwrap();
            }
        };
        let either = async {
            tokio::select! {
                () = held => {}
                () = polling => {}
            }
        };
        tokio::time::timeout(LIMIT, either).await.expect("held");
    }
}

fn options(id: &str, scope: &Scope, line: &MessageLine, identity: &ClientIdentity) -> MqttOptions {
    let address = line.address();
    let mut options = MqttOptions::new(id, address.ip().to_string(), address.port());
    options
        .set_clean_session(true)
        .set_transport(Transport::Tls(TlsConfiguration::Simple {
            ca: std::fs::read(&scope.broker_ca).unwrap(),
            alpn: None,
            client_auth: Some((
                identity.certificate.clone().into(),
                identity.key.clone().into(),
            )),
        }));
    options
}

#[tokio::test]
async fn what_is_held_is_overtaken_and_goes_on_when_released() {
    for (test, way) in [(1, Way::Up), (2, Way::Down)] {
        let mut node = Node::connect(test).await;
        node.line.hold(way, "scan");
        node.say("scan", "first", QoS::AtMostOnce).await;
        node.say("scan", "second", QoS::AtMostOnce).await;
        node.say("journal", "overtakes", QoS::AtLeastOnce).await;
        node.holds(way, "scan", "second").await;
        node.say("journal", "again", QoS::AtLeastOnce).await;
        while node.hears().await != "again" {}
        node.line.release(way, "scan");
        assert_eq!(node.hears().await, "first");
        assert_eq!(node.hears().await, "second");
        node.say("scan", "passes", QoS::AtMostOnce).await;
        assert_eq!(node.hears().await, "passes");
    }
}

#[tokio::test]
async fn what_is_forgotten_never_arrives() {
    let mut node = Node::connect(3).await;
    node.line.hold(Way::Down, "verdict");
    node.say("verdict", "lost", QoS::AtMostOnce).await;
    node.holds(Way::Down, "verdict", "lost").await;
    node.line.forget(Way::Down, "verdict");
    node.say("verdict", "passes", QoS::AtMostOnce).await;
    assert_eq!(node.hears().await, "passes");
}

#[tokio::test]
async fn the_broker_takes_the_line_for_the_node() {
    let mut node = Node::connect(4).await;
    let entered = node.core.heard("vhost");
    let users: Vec<_> = entered
        .iter()
        .map(|question| &question["username"])
        .collect();
    assert!(!users.is_empty(), "nobody asked");
    assert!(users.iter().all(|user| **user == node.id), "{users:?}");
    let topic = format!("ev1/up/{}/scan", node.id);
    assert!(node.line.say(&topic, b"not of the node's making"));
    assert_eq!(node.hears().await, "not of the node's making");
}
