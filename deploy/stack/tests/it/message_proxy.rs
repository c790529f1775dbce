//! The message proxy holds the messages that it should, and no others.

use std::time::Duration;

use crate::auth_double::AuthDouble;
use eventify_stack::{ClientIdentity, Direction, MessageProxy, Scope, Stack};
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS, TlsConfiguration, Transport,
};

/// One for each test: the broker closes a connection when its client id connects again, even on
/// another virtual host.
fn node_id(test: u8) -> String {
    format!("0192f0c0-0000-7000-8000-0000000010{test:02}")
}

/// More than anything on loopback takes.
const LIMIT: Duration = Duration::from_secs(20);

struct Node {
    id: String,
    proxy: MessageProxy,
    client: AsyncClient,
    events: EventLoop,
    _scope: Scope,
    core: AuthDouble,
}

impl Node {
    /// Connects through a proxy and subscribes to its own messages.
    async fn connect(test: u8) -> Self {
        let id = node_id(test);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let scope = Stack::shared().await.unwrap().scope().await.unwrap();
        let core = AuthDouble::start(|_| true).await;
        scope.register_broker_auth(&core.url).await.unwrap();
        let identity = scope.device_ca.issue(&scope.common_name(&id)).unwrap();
        let proxy = scope.message_proxy(&identity).await.unwrap();
        let (client, events) = AsyncClient::new(options(&id, &scope, &proxy, &identity), 10);
        let mut node = Self {
            id,
            proxy,
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

    async fn publish(&self, kind: &str, text: &str, qos: QoS) {
        let topic = format!("ev1/up/{}/{kind}", self.id);
        self.client.publish(topic, qos, false, text).await.unwrap();
    }

    async fn received(&mut self) -> String {
        self.next(|packet| {
            let Incoming::Publish(message) = packet else {
                return None;
            };
            Some(String::from_utf8(message.payload.to_vec()).unwrap())
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

    /// Polls the client until a message with this text is held.
    async fn until_held(&mut self, direction: Direction, kind: &str, text: &str) {
        let Self { proxy, events, .. } = self;
        let held = proxy.held(direction, kind, |payload| {
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

fn options(
    id: &str,
    scope: &Scope,
    proxy: &MessageProxy,
    identity: &ClientIdentity,
) -> MqttOptions {
    let address = proxy.address();
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
async fn held_messages_are_overtaken_and_delivered_when_released() {
    for (test, direction) in [(1, Direction::Up), (2, Direction::Down)] {
        let mut node = Node::connect(test).await;
        node.proxy.hold(direction, "scan");
        node.publish("scan", "first", QoS::AtMostOnce).await;
        node.publish("scan", "second", QoS::AtMostOnce).await;
        node.publish("journal", "overtakes", QoS::AtLeastOnce).await;
        node.until_held(direction, "scan", "second").await;
        node.publish("journal", "again", QoS::AtLeastOnce).await;
        while node.received().await != "again" {}
        node.proxy.release(direction, "scan");
        assert_eq!(node.received().await, "first");
        assert_eq!(node.received().await, "second");
        node.publish("scan", "passes", QoS::AtMostOnce).await;
        assert_eq!(node.received().await, "passes");
    }
}

#[tokio::test]
async fn discarded_messages_never_arrive() {
    let mut node = Node::connect(3).await;
    node.proxy.hold(Direction::Down, "verdict");
    node.publish("verdict", "lost", QoS::AtMostOnce).await;
    node.until_held(Direction::Down, "verdict", "lost").await;
    node.proxy.discard(Direction::Down, "verdict");
    node.publish("verdict", "passes", QoS::AtMostOnce).await;
    assert_eq!(node.received().await, "passes");
}

#[tokio::test]
async fn to_the_broker_the_proxy_is_the_node() {
    let mut node = Node::connect(4).await;
    let asked = node.core.questions("vhost");
    let users: Vec<_> = asked.iter().map(|question| &question["username"]).collect();
    assert!(!users.is_empty(), "the broker did not ask");
    assert!(users.iter().all(|user| **user == node.id), "{users:?}");
    let topic = format!("ev1/up/{}/scan", node.id);
    assert!(node.proxy.publish(&topic, b"not from the node"));
    assert_eq!(node.received().await, "not from the node");
}
