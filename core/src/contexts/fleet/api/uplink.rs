//! The line to the nodes: who really speaks, and answers on the way down (ADMISSION 6.3).

use eventify_protocol::ids::{MessageId, NodeId};
use eventify_protocol::sync::{Config, Down, Envelope, Sender, Up, topic};
use serde_json::json;

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::model::node::{Node, Standing};
use crate::contexts::fleet::store::{alarms, nodes};
use eventify_kernel::bus::UplinkMessage;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection};

/// A message whose sender is the node that the broker let send it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) node: Node,
    pub(crate) id: MessageId,
    pub(crate) cause: Cause,
    pub(crate) body: Up,
}

/// Opens a message. What doesn't parse, or doesn't come from whom it says, is dropped with a log
/// line and an alarm; the broker doesn't have to keep it.
pub(crate) async fn open(app: &App, message: &UplinkMessage) -> DbResult<Option<Received>> {
    let Some(claimed) = topic::node_of_key(&message.routing_key) else {
        drop_message(app, Alarm::new("uplink_key_malformed")).await?;
        return Ok(None);
    };
    let mut conn = app.db.read(NAME).await?;
    let known = nodes::find(&mut conn, claimed).await?;
    drop(conn);
    let Some(node) = known.filter(|node| !matches!(node.standing, Standing::Announced)) else {
        let details = json!({ "claimedNodeId": claimed });
        drop_message(app, Alarm::new("uplink_node_unknown").with(details)).await?;
        return Ok(None);
    };
    let refused = |code, details| {
        Alarm::new(code)
            .of(node.venue_id, node.node_id)
            .with(details)
    };
    let envelope = match Envelope::<Up>::from_bytes(&message.body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let details = json!({ "bytes": message.body.len() });
            drop_message(app, refused(error.code(), details)).await?;
            return Ok(None);
        }
    };
    let kind = topic::up_kind(&envelope.body);
    let sent_as = message.routing_key.rsplit('.').next().unwrap_or_default();
    if envelope.sender != Sender::Node(node.node_id) {
        drop_message(
            app,
            refused("uplink_sender_mismatch", json!({ "kind": kind })),
        )
        .await?;
        return Ok(None);
    }
    if kind != sent_as {
        let details = json!({ "kind": kind, "sentAs": sent_as });
        drop_message(app, refused("uplink_kind_mismatch", details)).await?;
        return Ok(None);
    }
    let cause = Cause::fresh(&app.clock).traced(envelope.trace.as_deref(), None);
    Ok(Some(Received {
        node,
        id: envelope.id,
        cause,
        body: envelope.body,
    }))
}

/// Whether a node may be answered. A revoked one is told so instead, each time it speaks.
pub(crate) async fn serves(app: &App, node: &Node) -> bool {
    if node.is_revoked() {
        send(app, node.node_id, Down::Config(Config { revoked: true })).await;
    }
    node.is_enrolled()
}

/// Sends a message to a node. If it can't be sent, the node asks again: nothing is kept.
pub(crate) async fn send(app: &App, node: NodeId, message: Down) {
    let key = topic::down_key(node, &message);
    let envelope = Envelope::new(MessageId(app.clock.new_id()), Sender::Core, message);
    if let Err(error) = app.bus.send_down(&key, &envelope.to_bytes()).await {
        tracing::warn!(%node, key, %error, "message to a node not sent");
    }
}

/// Logs and raises an alarm.
pub(crate) async fn raise(app: &App, alarm: &Alarm) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    raise_with(app, &mut conn, alarm).await
}

/// The same in a transaction: with what the alarm is about, or not at all.
pub(crate) async fn raise_with(app: &App, conn: &mut PgConnection, alarm: &Alarm) -> DbResult<()> {
    tracing::error!(
        alarm = %alarm.code,
        node = ?alarm.node,
        venue = ?alarm.venue,
        details = %alarm.details,
        "alarm"
    );
    alarms::raise(conn, app.clock.new_id(), alarm, app.clock.now()).await
}

async fn drop_message(app: &App, alarm: Alarm) -> DbResult<()> {
    tracing::warn!(code = %alarm.code, node = ?alarm.node, "message of a node dropped");
    raise(app, &alarm).await
}
