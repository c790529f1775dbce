//! Messages from and to nodes: the proven sender of an uplink message, and answers (ADMISSION 6.3).

use eventify_kernel::bus::UplinkMessage;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{MessageId, NodeId};
use eventify_protocol::sync::{Config, Down, Envelope, Sender, Up, topic};
use serde_json::json;

use super::alarms;
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::node::{Node, NodeState};
use crate::contexts::fleet::store::nodes;
use crate::contexts::fleet::{App, NAME};

/// A message whose sender is the node that the broker let publish it.
#[derive(Debug)]
pub(crate) struct NodeMessage {
    pub(crate) node: Node,
    pub(crate) id: MessageId,
    pub(crate) cause: Cause,
    pub(crate) body: Up,
}

/// Opens a message. One that can't be decoded, or whose sender is not the node of its topic, is
/// dropped with an alarm; the broker doesn't have to keep it.
pub(crate) async fn open(app: &App, message: &UplinkMessage) -> DbResult<Option<NodeMessage>> {
    let Some(claimed) = topic::node_of_key(&message.routing_key) else {
        return drop_message(app, Alarm::new(Code::UplinkKeyMalformed)).await;
    };
    let mut conn = app.db.read(NAME).await?;
    let known = nodes::find(&mut conn, claimed).await?;
    drop(conn);
    let Some(node) = known.filter(|node| node.state != NodeState::Announced) else {
        let details = json!({ "claimedNodeId": claimed });
        return drop_message(app, Alarm::new(Code::UplinkNodeUnknown).with(details)).await;
    };
    let alarm = |code, details| {
        Alarm::new(code)
            .of_node(node.venue_id, node.node_id)
            .with(details)
    };
    if message.dropped_before > 0 {
        let details = json!({ "topic": message.routing_key, "dropped": message.dropped_before });
        alarms::raise(app, &alarm(Code::NodeFloods, details)).await?;
    }
    let envelope = match Envelope::<Up>::from_bytes(&message.body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let details = json!({ "bytes": message.body.len() });
            return drop_message(app, alarm(Code::from(&error), details)).await;
        }
    };
    let kind = topic::up_kind(&envelope.body);
    let sent_as = message.routing_key.rsplit('.').next().unwrap_or_default();
    if envelope.sender != Sender::Node(node.node_id) {
        let details = json!({ "kind": kind });
        return drop_message(app, alarm(Code::UplinkSenderMismatch, details)).await;
    }
    if kind != sent_as {
        let details = json!({ "kind": kind, "sentAs": sent_as });
        return drop_message(app, alarm(Code::UplinkKindMismatch, details)).await;
    }
    Ok(Some(NodeMessage {
        node,
        id: envelope.id,
        cause: Cause::fresh(&app.clock).traced(envelope.trace.as_deref(), None),
        body: envelope.body,
    }))
}

async fn drop_message(app: &App, alarm: Alarm) -> DbResult<Option<NodeMessage>> {
    alarms::raise(app, &alarm).await?;
    Ok(None)
}

/// Whether a node is to be answered. A revoked one gets its revocation instead, each time it sends.
pub(crate) async fn is_served(app: &App, node: &Node) -> bool {
    if node.is_revoked() {
        send(
            app,
            node.node_id,
            Down::Config(Config {
                revoked: true,
                duplicate: None,
                scanners: None,
                time_zone: None,
            }),
        )
        .await;
    }
    node.is_enrolled()
}

/// Sends a message to a node. One that can't be sent is lost: the node asks again.
pub(crate) async fn send(app: &App, node: NodeId, message: Down) {
    let key = topic::down_key(node, &message);
    let envelope = Envelope::new(MessageId(app.clock.new_id()), Sender::Core, message);
    if let Err(error) = app.bus.send_down(&key, &envelope.to_bytes()).await {
        tracing::warn!(
            code = "fleet.message_not_sent",
            node_id = %node,
            routing_key = key,
            %error,
            "a message to a node could not be sent"
        );
    }
}
