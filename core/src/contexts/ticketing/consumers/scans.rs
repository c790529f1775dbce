//! The pipe of the nodes' scans.

use eventify_protocol::ids::{GateId, MessageId, NodeId};
use eventify_protocol::sync::{Down, Envelope, Scan, ScanVerdict, Sender, Up, topic};

use crate::contexts::ticketing::App;
use crate::contexts::ticketing::NAME;
use crate::contexts::ticketing::api::Error;
use crate::contexts::ticketing::api::admission::{self, Asked, Presented};
use eventify_contracts::ticketing::ScanSuspected;
use eventify_kernel::bus::UplinkMessage;
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;

/// Decides a scan and answers the node. What doesn't parse, or doesn't come from whom it says, is
/// dropped: the node asks again, or decides by its own rules.
pub(super) async fn on_scan(app: App, message: UplinkMessage) -> Result<(), Failure> {
    let (node, id, scan, trace) = match read(&message) {
        Ok(read) => read,
        Err(code) => {
            let node = topic::node_of_key(&message.routing_key);
            dropped(code, node);
            return suspect(&app, code, node, None).await;
        }
    };
    let cause = Cause::fresh(&app.clock).traced(trace.as_deref(), None);
    let asked = Asked {
        scan: scan.scan,
        scanner: scan.scanner,
        gate: scan.gate,
        node: Some(node),
        device: None,
        presented: Presented::Text(scan.token),
        deadline: Some(scan.deadline),
        replaces: scan.replaces,
    };
    let answered = match admission::decide(&app, &cause, &asked).await {
        Ok(answered) => answered,
        Err(Error::UnknownNode(_)) => {
            dropped("scan_node_unknown", Some(node));
            return suspect(&app, "scan_node_unknown", Some(node), None).await;
        }
        Err(Error::RevokedNode(_)) => {
            dropped("scan_node_revoked", Some(node));
            return Ok(());
        }
        Err(Error::ScanIdReused(_)) => {
            dropped("scan_id_reused", Some(node));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if answered.foreign_gate {
        let gate = Some(asked.gate);
        suspect(&app, "scan_gate_not_assigned", Some(node), gate).await?;
    }
    let verdict = Down::Verdict(ScanVerdict {
        scan: asked.scan,
        verdict: answered.verdict,
        at: answered.at,
        epoch: answered.epoch,
        answers: id,
    });
    let key = topic::down_key(node, &verdict);
    let envelope = Envelope::new(MessageId(app.clock.new_id()), Sender::Core, verdict);
    app.bus
        .send_down(&key, &envelope.to_bytes())
        .await
        .map_err(Failure::retry)
}

/// The scan of a message and the message's id, if the node that the broker let send it is the one
/// that it names.
fn read(
    message: &UplinkMessage,
) -> Result<(NodeId, MessageId, Scan, Option<String>), &'static str> {
    let node = topic::node_of_key(&message.routing_key).ok_or("uplink_key_malformed")?;
    let envelope = Envelope::<Up>::from_bytes(&message.body).map_err(|error| error.code())?;
    if envelope.sender != Sender::Node(node) {
        return Err("uplink_sender_mismatch");
    }
    match envelope.body {
        Up::Scan(scan) => Ok((node, envelope.id, scan, envelope.trace)),
        Up::Hello(_) | Up::Ask(_) | Up::Journal(_) | Up::Health(_) | Up::Pull(_) => {
            Err("uplink_kind_mismatch")
        }
    }
}

/// Tells fleet, which raises the alarm.
async fn suspect(
    app: &App,
    code: &str,
    node_id: Option<NodeId>,
    gate_id: Option<GateId>,
) -> Result<(), Failure> {
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

fn dropped(code: &'static str, node: Option<NodeId>) {
    tracing::warn!(
        monotonic_counter.scans_dropped = 1_u64,
        code,
        ?node,
        "scan dropped"
    );
}
