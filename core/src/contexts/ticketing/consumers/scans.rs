//! The uplink of the nodes' scans.

use eventify_contracts::ticketing::ScanSuspected;
use eventify_kernel::bus::UplinkMessage;
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::{GateId, MessageId, NodeId};
use eventify_protocol::short_code::CodeHash;
use eventify_protocol::sync::{Down, Envelope, Scan, ScanVerdict, Sender, Up, topic};

use crate::contexts::ticketing::acts::{Error, scans};
use crate::contexts::ticketing::model::{Presented, ScanError, ScanRequest};
use crate::contexts::ticketing::{App, NAME, store};

/// Decides a scan and answers the node. A message that can't be read, or that another sender than
/// the node sent, is dropped: the node sends it again, or decides by its own rules.
pub(super) async fn on_scan(app: App, message: UplinkMessage) -> Result<(), Failure> {
    if message.dropped_before > 0 {
        let node = topic::node_of_key(&message.routing_key);
        suspect(&app, "node_floods", node, None).await?;
    }
    let (node, message_id, scan, trace) = match read(&message) {
        Ok(read) => read,
        Err(code) => {
            let node = topic::node_of_key(&message.routing_key);
            log_dropped(code, node);
            return suspect(&app, code, node, None).await;
        }
    };
    let keys = app.keys.in_force().map_err(Failure::retry)?;
    let cause = Cause::fresh(&app.clock).traced(trace.as_deref(), None);
    let (id, gate) = (scan.scan, scan.gate);
    let request = ScanRequest {
        scan: id,
        scanner: scan.scanner,
        gate,
        node: Some(node),
        device: None,
        is_only_door: false,
        out_of_hours: None,
        presented: match scan.code {
            Some(code) => find_code(&app, node, code).await?,
            None => Presented::token(scan.token, &keys),
        },
        deadline: Some(scan.deadline),
        replaces: scan.replaces,
    };
    let answer = match scans::submit(&app, &cause, request).await {
        Ok(answer) => answer,
        Err(Error::Scan(error)) => {
            log_dropped(error.code(), Some(node));
            if matches!(error, ScanError::UnknownNode(_)) {
                suspect(&app, error.code(), Some(node), None).await?;
            }
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if answer.foreign_gate {
        tracing::warn!(code = "ticketing.scan_at_foreign_gate", node_id = %node, gate_id = %gate,
            "a node has scanned at a gate that is not one of its own");
        suspect(&app, "scan_gate_not_assigned", Some(node), Some(gate)).await?;
    }
    let verdict = Down::Verdict(ScanVerdict {
        scan: id,
        verdict: answer.verdict,
        at: answer.at,
        epoch: answer.epoch,
        answers: message_id,
        ticket: answer.scanned,
    });
    let key = topic::down_key(node, &verdict);
    let envelope = Envelope::new(MessageId(app.clock.new_id()), Sender::Core, verdict);
    app.bus
        .send_down(&key, &envelope.to_bytes())
        .await
        .map_err(Failure::retry)
}

/// A short code and the ticket that has it at the node's venue.
async fn find_code(app: &App, node: NodeId, code: CodeHash) -> Result<Presented, Failure> {
    let mut conn = app.db.read(NAME).await?;
    let ticket = store::find_ticket_of_code(&mut conn, node, code).await?;
    Ok(Presented::Code { code, ticket })
}

/// The scan of a message and the message's id, if the node that the broker let send it is the one
/// that it names. The error is a stable code.
fn read(
    message: &UplinkMessage,
) -> Result<(NodeId, MessageId, Scan, Option<String>), &'static str> {
    let node = topic::node_of_key(&message.routing_key).ok_or("uplink_key_malformed")?;
    let envelope = Envelope::<Up>::from_bytes(&message.body).map_err(|error| error.code())?;
    if envelope.sender != Sender::Node(node) {
        return Err("uplink_sender_mismatch");
    }
    let Up::Scan(scan) = envelope.body else {
        return Err("uplink_kind_mismatch");
    };
    Ok((node, envelope.id, scan, envelope.trace))
}

/// Notifies fleet, which raises the alarm: of one node and reason once a minute, however often it comes.
async fn suspect(
    app: &App,
    code: &'static str,
    node_id: Option<NodeId>,
    gate_id: Option<GateId>,
) -> Result<(), Failure> {
    if !app
        .state
        .suspicions
        .is_due(node_id, code, app.clock.instant())
    {
        return Ok(());
    }
    let event = ScanSuspected {
        suspicion_id: app.clock.new_id(),
        node_id,
        gate_id,
        code: code.to_owned(),
    };
    let mut tx = app.db.begin(NAME, &Cause::fresh(&app.clock)).await?;
    tx.publish(app.clock.new_id(), 1, &event);
    Ok(tx.commit().await?)
}

fn log_dropped(reason: &'static str, node: Option<NodeId>) {
    tracing::warn!(
        code = "ticketing.scan_dropped",
        reason,
        node_id = node.map(tracing::field::display),
        "a scan was dropped"
    );
}
