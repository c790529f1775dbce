//! At the broker, and through it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eventify_protocol::{
    ids::{MessageId, NodeId},
    sync::{Ask, Envelope, MAX_MESSAGE_BYTES, Nonce, Sender, Up},
};
use eventify_stack::{ClientIdentity, pki};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, Incoming, MqttOptions,
    TlsConfiguration, Transport,
};
use serde_json::Value;

use crate::{
    clock,
    scenes::{
        Play, SOON,
        table::{NORTH, SOUTH, settled},
    },
    story::Story,
    wait,
};

/// Between two attempts of a client that is turned away, the library waits by itself.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn refuses(story: &mut Story, play: &mut Play) -> Result<()> {
    story.part("at the broker");
    strangers(story, play).await?;
    story.part("through the broker, in a node's own name");
    let line = play.lend_line(NORTH).await?;
    messages(story, play, &line).await?;
    let other = play.gates[SOUTH].edge.id().await?;
    foreign_topic(story, play, &line, other).await?;
    play.take_line_back(NORTH);
    drop(line);
    settled(play).await
}

/// Clients that are not the node that they say.
async fn strangers(story: &mut Story, play: &Play) -> Result<()> {
    let scope = &play.world.scope;
    let (one, two) = (
        play.gates[NORTH].edge.id().await?.to_string(),
        play.gates[SOUTH].edge.id().await?.to_string(),
    );
    let name = scope.common_name(&one);
    let own = play.gates[NORTH].edge.identity()?;
    let lines_down = || play.gates[SOUTH].edge.logged("link.disconnected");
    let before = lines_down()?;
    let nobody = scope.common_name("nobody");
    for (what, client, identity, expected) in [
        (
            "a client without a certificate",
            &one,
            None,
            "CertificateRequired",
        ),
        (
            "a certificate of somebody else's authority",
            &one,
            Some(pki::stranger(&name)?),
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
            Some(scope.device_ca.issue(&nobody)?),
            "BadUserNamePassword",
        ),
        (
            "a node with another's client id",
            &two,
            Some(own),
            "NotAuthorized",
        ),
    ] {
        let ended = connect(play, client, identity).await?;
        story.expect(what, format!("refused: {expected}"), ended);
    }
    story.expect(
        "lines that the other node lost by it",
        0,
        lines_down()? - before,
    );
    Ok(())
}

/// How a connection begins or ends.
async fn connect(play: &Play, client: &str, identity: Option<ClientIdentity>) -> Result<String> {
    let scope = &play.world.scope;
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
    let said = error.to_string();
    match said.rsplit_once("received fatal alert: ") {
        Some((_, alert)) => format!("refused: {alert}"),
        None => said,
    }
}

/// Messages that are none, on the node's own topics. Each is dropped, and venue IT is told.
async fn messages(
    story: &mut Story,
    play: &Play,
    line: &eventify_stack::MessageLine,
) -> Result<()> {
    let node = play.gates[NORTH].edge.id().await?;
    let other = play.gates[SOUTH].edge.id().await?;
    for (what, kind, bytes, code) in spoiled(node, other) {
        say(line, node, kind, &bytes)?;
        let alarm = wait::until(what, SOON, || alarm(play, node, code));
        story.expect(what, format!("dropped, alarm {code}"), alarm.await?);
    }
    say(line, node, "scan", b"\x00random\xff")?;
    let logged = wait::until("the scan in the core's log", SOON, || async {
        let lines = play.world.core.logged("scan dropped")?;
        Ok((lines > 0).then_some("dropped, one line in the log"))
    });
    story.expect(
        "random bytes as a scan",
        "dropped, one line in the log",
        logged.await?,
    );
    let status = play.gates[NORTH].edge.status().await?;
    story.expect(
        "the node itself goes on",
        "Online",
        format!("{:?}", status.mode),
    );
    Ok(())
}

/// What is said, as which kind, with which bytes, and the alarm that comes of it.
type Spoiled = (&'static str, &'static str, Vec<u8>, &'static str);

fn spoiled(node: NodeId, other: NodeId) -> [Spoiled; 6] {
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
    // No message begins like this, whatever follows.
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
            "a question with something behind it",
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
            "a question in the other node's name",
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

fn say(line: &eventify_stack::MessageLine, node: NodeId, kind: &str, bytes: &[u8]) -> Result<()> {
    let topic = format!("ev1/up/{node}/{kind}");
    anyhow::ensure!(line.say(&topic, bytes), "the node's line is down");
    Ok(())
}

/// An alarm about a node, once it is raised.
async fn alarm(play: &Play, node: NodeId, code: &str) -> Result<Option<String>> {
    let alarms = play.office.alarms().await?;
    let raised = alarms["items"].as_array().context("alarms")?;
    let is_it = |alarm: &&Value| alarm["nodeId"] == node.to_string() && alarm["code"] == code;
    Ok(raised
        .iter()
        .find(is_it)
        .map(|_| format!("dropped, alarm {code}")))
}

/// The broker ends the connection; the node makes a new one.
async fn foreign_topic(
    story: &mut Story,
    play: &Play,
    line: &eventify_stack::MessageLine,
    other: NodeId,
) -> Result<()> {
    let edge = &play.gates[NORTH].edge;
    let before = edge.logged("link.disconnected")?;
    say(line, other, "scan", b"not mine")?;
    wait::until("the broker to end the connection", SOON, || async {
        Ok((edge.logged("link.disconnected")? > before).then_some(()))
    })
    .await?;
    settled(play).await?;
    let status = edge.status().await?;
    story.expect(
        "a message on the other node's topic: cut off, and back by itself",
        "Online",
        format!("{:?}", status.mode),
    );
    Ok(())
}
