//! Bad input at the broker, and bad messages through it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eventify_protocol::{
    ids::{MessageId, NodeId},
    sync::{Ask, Envelope, MAX_MESSAGE_BYTES, Nonce, Sender, Up},
};
use eventify_stack::{ClientIdentity, MessageProxy, pki};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, Incoming, MqttOptions,
    TlsConfiguration, Transport,
};
use serde_json::Value;

use crate::{
    clock,
    scenes::{
        Demo, SOON,
        arrival_orders::{NORTH, SOUTH, settled},
    },
    story::Story,
    wait,
};

/// The longest time until a client is accepted or refused.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn refuses(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.part("at the broker");
    other_clients(story, demo).await?;
    story.part("through the broker, as a node");
    let proxy = demo.insert_message_proxy(NORTH).await?;
    messages(story, demo, &proxy).await?;
    let other = demo.gates[SOUTH].edge.id().await?;
    foreign_topic(story, demo, &proxy, other).await?;
    demo.remove_message_proxy(NORTH);
    drop(proxy);
    settled(demo).await
}

/// Clients that pretend to be a node.
async fn other_clients(story: &mut Story, demo: &Demo) -> Result<()> {
    let scope = &demo.world.scope;
    let (one, two) = (
        demo.gates[NORTH].edge.id().await?.to_string(),
        demo.gates[SOUTH].edge.id().await?.to_string(),
    );
    let name = scope.common_name(&one);
    let own = demo.gates[NORTH].edge.identity()?;
    let links_down = || demo.gates[SOUTH].edge.count_in_log("link.disconnected");
    let before = links_down()?;
    let unknown = scope.common_name("nobody");
    for (what, client, identity, expected) in [
        (
            "a client without a certificate",
            &one,
            None,
            "CertificateRequired",
        ),
        (
            "a certificate of an untrusted authority",
            &one,
            Some(pki::untrusted_client(&name)?),
            "UnknownCA",
        ),
        (
            "an expired certificate",
            &one,
            Some(scope.device_ca.issue_expired(&name)?),
            "CertificateExpired",
        ),
        (
            "a node that was never announced",
            &one,
            Some(scope.device_ca.issue(&unknown)?),
            "BadUserNamePassword",
        ),
        (
            "a node with another node's client id",
            &two,
            Some(own),
            "NotAuthorized",
        ),
    ] {
        let ended = connect(demo, client, identity).await?;
        story.expect(what, format!("refused: {expected}"), ended);
    }
    story.expect(
        "connections that the other node lost by this",
        0,
        links_down()? - before,
    );
    Ok(())
}

/// Connects a client; returns the result as text.
async fn connect(demo: &Demo, client: &str, identity: Option<ClientIdentity>) -> Result<String> {
    let scope = &demo.world.scope;
    let mut options = MqttOptions::new(client, scope.mqtt_host, scope.mqtt_port);
    options.set_transport(Transport::Tls(TlsConfiguration::Simple {
        ca: std::fs::read(&scope.broker_ca)?,
        alpn: None,
        client_auth: identity.map(|it| (it.certificate.into(), it.key.into())),
    }));
    let (_client, mut events) = AsyncClient::new(options, 1);
    let connecting = async {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => break "connected".to_owned(),
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => break refused(code),
                Err(error) => break alerted(&error),
            }
        }
    };
    tokio::time::timeout(ANSWER_LIMIT, connecting)
        .await
        .context("neither connected nor refused")
}

fn refused(code: ConnectReturnCode) -> String {
    format!("refused: {code:?}")
}

/// The TLS alert that ended a connection.
fn alerted(error: &ConnectionError) -> String {
    let text = error.to_string();
    match text.rsplit_once("received fatal alert: ") {
        Some((_, alert)) => format!("refused: {alert}"),
        None => text,
    }
}

/// Bad messages on the node's own topics. Each is dropped and raises an alarm.
async fn messages(story: &mut Story, demo: &Demo, proxy: &MessageProxy) -> Result<()> {
    let node = demo.gates[NORTH].edge.id().await?;
    let other = demo.gates[SOUTH].edge.id().await?;
    for (what, kind, bytes, code) in bad_messages(node, other) {
        publish(proxy, node, kind, &bytes)?;
        let alarm = wait::until(what, SOON, || alarm(demo, node, code));
        story.expect(what, format!("dropped, alarm {code}"), alarm.await?);
    }
    publish(proxy, node, "scan", b"\x00random\xff")?;
    let logged = wait::until("the scan in the core's log", SOON, || async {
        let lines = demo.world.core.count_in_log("ticketing.scan_dropped")?;
        Ok((lines > 0).then_some("dropped, one line in the log"))
    });
    story.expect(
        "random bytes as a scan",
        "dropped, one line in the log",
        logged.await?,
    );
    let status = demo.gates[NORTH].edge.status().await?;
    story.expect(
        "the node itself stays online",
        "Online",
        format!("{:?}", status.mode),
    );
    Ok(())
}

/// Check text, message kind, payload, and the alarm's code.
type BadMessage = (&'static str, &'static str, Vec<u8>, &'static str);

fn bad_messages(node: NodeId, other: NodeId) -> [BadMessage; 6] {
    let ask = |sender: NodeId| {
        let body = Up::Ask(Ask {
            nonce: Nonce([7; 16]),
        });
        Envelope::new(MessageId(clock::new_id()), Sender::Node(sender), body)
    };
    let mut newer = ask(node);
    newer.version = 9;
    let mut trailing = ask(node).to_bytes();
    trailing.push(0);
    // No valid message begins with this byte.
    let mut random = vec![0xff];
    random.extend(rand::random::<[u8; 64]>());
    [
        (
            "random bytes as hello",
            "hello",
            random,
            "message_malformed",
        ),
        (
            "a question with extra bytes at the end",
            "ask",
            trailing,
            "message_trailing_bytes",
        ),
        (
            "a question of a newer release",
            "ask",
            newer.to_bytes(),
            "message_version",
        ),
        (
            "a journal of 128 KiB and a byte",
            "journal",
            vec![0; MAX_MESSAGE_BYTES + 1],
            "message_too_large",
        ),
        (
            "a question with the other node's id",
            "ask",
            ask(other).to_bytes(),
            "uplink_sender_mismatch",
        ),
        (
            "a question sent as health",
            "health",
            ask(node).to_bytes(),
            "uplink_kind_mismatch",
        ),
    ]
}

fn publish(proxy: &MessageProxy, node: NodeId, kind: &str, bytes: &[u8]) -> Result<()> {
    let topic = format!("ev1/up/{node}/{kind}");
    anyhow::ensure!(proxy.publish(&topic, bytes), "the node is not connected");
    Ok(())
}

/// The text of a node's alarm, if it was raised.
async fn alarm(demo: &Demo, node: NodeId, code: &str) -> Result<Option<String>> {
    let alarms = demo.venue_it.alarms().await?;
    let raised = alarms["items"].as_array().context("alarms")?;
    let is_it = |alarm: &&Value| alarm["nodeId"] == node.to_string() && alarm["code"] == code;
    Ok(raised
        .iter()
        .find(is_it)
        .map(|_| format!("dropped, alarm {code}")))
}

/// The broker closes the connection, and the node makes a new one.
async fn foreign_topic(
    story: &mut Story,
    demo: &Demo,
    proxy: &MessageProxy,
    other: NodeId,
) -> Result<()> {
    let edge = &demo.gates[NORTH].edge;
    let before = edge.count_in_log("link.disconnected")?;
    publish(proxy, other, "scan", b"not mine")?;
    wait::until("the broker to end the connection", SOON, || async {
        Ok((edge.count_in_log("link.disconnected")? > before).then_some(()))
    })
    .await?;
    settled(demo).await?;
    let status = edge.status().await?;
    story.expect(
        "a message on the other node's topic: the node is disconnected, and connects again",
        "Online",
        format!("{:?}", status.mode),
    );
    Ok(())
}
