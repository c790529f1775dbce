//! What RabbitMQ asks about MQTT clients, and which it accepts: the core relies on it.

use std::time::Duration;

use crate::auth_double::{AuthDouble, Question};
use eventify_stack::pki::{ClientIdentity, untrusted_client};
use eventify_stack::{Scope, Stack};
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Incoming, MqttOptions, QoS, TlsConfiguration,
    Transport,
};

const NODE: &str = "0192f0c0-0000-7000-8000-000000000001";
const OTHER: &str = "0192f0c0-0000-7000-8000-000000000002";
/// Of one test alone: a login by certificate is a question to the cores of all tests.
const ALONE: &str = "0192f0c0-0000-7000-8000-000000000003";

fn options(scope: &Scope, client_id: &str, identity: Option<&ClientIdentity>) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, scope.mqtt_host, scope.mqtt_port);
    options
        .set_keep_alive(Duration::from_secs(30))
        .set_clean_session(true);
    options.set_transport(Transport::Tls(TlsConfiguration::Simple {
        ca: std::fs::read(&scope.broker_ca).unwrap(),
        alpn: None,
        client_auth: identity.map(|i| (i.certificate.clone().into(), i.key.clone().into())),
    }));
    options
}

/// Runs the event loop until `wanted` happens.
async fn until(events: &mut EventLoop, wanted: fn(&Event) -> bool) -> Result<(), ConnectionError> {
    let waiting = async {
        loop {
            if wanted(&events.poll().await?) {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("the event did not come")
}

fn connected(event: &Event) -> bool {
    matches!(event, Event::Incoming(Incoming::ConnAck(_)))
}

async fn connect(options: MqttOptions) -> Result<(AsyncClient, EventLoop), ConnectionError> {
    let (client, mut events) = AsyncClient::new(options, 10);
    until(&mut events, connected).await?;
    Ok((client, events))
}

/// A core's rule: no passwords, the client id is the user's own, and only its own topics and queues.
fn only_its_own(question: &Question) -> bool {
    let field = |name: &str| {
        question
            .form
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    };
    let own = field("username");
    match (question.about.as_str(), field("resource")) {
        ("user", _) => !question.form.contains_key("password"),
        ("vhost", _) => field("client_id") == own,
        ("resource", "queue") => {
            let rest = field("name").strip_prefix("mqtt-subscription-");
            rest.and_then(|rest| rest.strip_prefix(own))
                .is_some_and(|qos| qos.starts_with("qos"))
        }
        ("resource", "exchange") => {
            field("name") == "amq.topic" && field("permission") != "configure"
        }
        ("topic", _) => {
            let mut parts = field("routing_key").split('.');
            parts.next() == Some("ev1") && parts.nth(1) == Some(own)
        }
        _ => false,
    }
}

async fn scope_with_core() -> (Scope, AuthDouble) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let scope = Stack::shared().await.unwrap().scope().await.unwrap();
    let core = AuthDouble::start(only_its_own).await;
    scope.register_broker_auth(&core.url).await.unwrap();
    (scope, core)
}

#[tokio::test]
async fn a_node_with_its_certificate_connects_and_reaches_its_own_topics_only() {
    let (scope, core) = scope_with_core().await;
    let identity = scope.device_ca.issue(&scope.common_name(ALONE)).unwrap();
    let (client, mut events) = connect(options(&scope, ALONE, Some(&identity)))
        .await
        .unwrap();

    client
        .subscribe(format!("ev1/down/{ALONE}/#"), QoS::AtMostOnce)
        .await
        .unwrap();
    until(&mut events, |e| {
        matches!(e, Event::Incoming(Incoming::SubAck(_)))
    })
    .await
    .unwrap();
    client
        .publish(format!("ev1/up/{ALONE}/ask"), QoS::AtLeastOnce, false, "?")
        .await
        .unwrap();
    until(&mut events, |e| {
        matches!(e, Event::Incoming(Incoming::PubAck(_)))
    })
    .await
    .unwrap();

    // A login by certificate gives only the user name.
    core.until_asked(|question| {
        let form = &question.form;
        question.about == "user" && form.len() == 1 && form["username"] == ALONE
    })
    .await;
    let users = core.questions("user");
    assert!(users.iter().all(|form| form.len() == 1), "{users:?}");
    let vhosts = core.questions("vhost");
    assert!(!vhosts.is_empty());
    assert!(
        vhosts
            .iter()
            .all(|c| c["client_id"] == ALONE && c["vhost"] == scope.vhost),
        "{vhosts:?}"
    );
    let topics = core.questions("topic");
    let keys: Vec<_> = topics
        .iter()
        .map(|c| (c["permission"].as_str(), c["routing_key"].as_str()))
        .collect();
    let asked = format!("ev1.up.{ALONE}.ask");
    assert!(keys.contains(&("write", &asked)), "{keys:?}");
    let listened = format!("ev1.down.{ALONE}.#");
    assert!(keys.contains(&("read", &listened)), "{keys:?}");

    // Another node's topic: the broker closes the connection and drops the message.
    client
        .publish(format!("ev1/up/{OTHER}/ask"), QoS::AtLeastOnce, false, "?")
        .await
        .unwrap();
    let refused = until(&mut events, |e| {
        matches!(e, Event::Incoming(Incoming::PubAck(_)))
    })
    .await;
    assert!(refused.is_err(), "published on another node's topic");
}

#[tokio::test]
async fn a_client_without_a_certificate_of_the_device_authority_is_refused() {
    let (scope, core) = scope_with_core().await;
    let without = connect(options(&scope, NODE, None)).await;
    assert!(without.is_err(), "connected without a certificate");
    let untrusted = untrusted_client(&scope.common_name(NODE)).unwrap();
    let untrusted = connect(options(&scope, NODE, Some(&untrusted))).await;
    assert!(
        untrusted.is_err(),
        "connected with an untrusted certificate"
    );
    assert_eq!(
        core.questions("vhost"),
        [],
        "refused before the core was asked"
    );
}

#[tokio::test]
async fn another_nodes_client_id_is_refused_and_the_other_node_stays_connected() {
    let (scope, core) = scope_with_core().await;
    let own = scope.device_ca.issue(&scope.common_name(NODE)).unwrap();
    let other = scope.device_ca.issue(&scope.common_name(OTHER)).unwrap();
    let (client, mut events) = connect(options(&scope, NODE, Some(&own))).await.unwrap();

    let taken_over = connect(options(&scope, NODE, Some(&other))).await;
    assert!(
        taken_over.is_err(),
        "connected with another node's client id"
    );
    let vhosts = core.questions("vhost");
    assert!(
        vhosts
            .iter()
            .any(|c| c["username"] == OTHER && c["client_id"] == NODE),
        "{vhosts:?}"
    );

    client
        .publish(format!("ev1/up/{NODE}/ask"), QoS::AtLeastOnce, false, "?")
        .await
        .unwrap();
    until(&mut events, |e| {
        matches!(e, Event::Incoming(Incoming::PubAck(_)))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_password_beside_the_certificate_reaches_the_core_which_must_refuse_it() {
    let (scope, core) = scope_with_core().await;
    let own = scope.device_ca.issue(&scope.common_name(NODE)).unwrap();
    let mut options = options(&scope, OTHER, Some(&own));
    options.set_credentials(scope.common_name(OTHER), "guess");
    assert!(
        connect(options).await.is_err(),
        "logged in as another node by name"
    );
    let users = core.questions("user");
    assert!(
        users.iter().any(
            |c| c["username"] == OTHER && c.get("password").is_some_and(|word| word == "guess")
        ),
        "{users:?}"
    );
}

#[tokio::test]
async fn a_virtual_host_without_a_core_accepts_no_client() {
    let (busy, _core) = scope_with_core().await;
    let silent = Stack::shared().await.unwrap().scope().await.unwrap();
    let identity = busy.device_ca.issue(&silent.common_name(NODE)).unwrap();
    let connected = connect(options(&silent, NODE, Some(&identity))).await;
    assert!(
        connected.is_err(),
        "connected to a virtual host that no core answers for"
    );
}
