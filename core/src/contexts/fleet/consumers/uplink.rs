//! The nodes' messages. Each is acknowledged to the broker, whatever its result: nodes ask again.

use eventify_kernel::bus::UplinkMessage;
use eventify_kernel::failure::Failure;
use eventify_protocol::sync::{Down, Up};

use crate::contexts::fleet::App;
use crate::contexts::fleet::acts::messages::{self, NodeMessage};
use crate::contexts::fleet::acts::{
    health, journal, points, scanners, sign_ins, snapshots, welcome,
};

/// Requests for a sync point.
pub(super) async fn on_ask(app: App, message: UplinkMessage) -> Result<(), Failure> {
    let Some(NodeMessage {
        node,
        cause,
        body: Up::Ask(ask),
        ..
    }) = messages::open(&app, &message).await?
    else {
        return Ok(());
    };
    if messages::is_served(&app, &node).await
        && let Some(point) = points::answer(&app, &cause, &node, ask.nonce).await?
    {
        messages::send(&app, node.node_id, Down::Point(point)).await;
    }
    Ok(())
}

/// `Hello`, `Pull`, `Health`, `Scanners` and `Staff`.
pub(super) async fn on_control(app: App, message: UplinkMessage) -> Result<(), Failure> {
    let Some(NodeMessage {
        node,
        id,
        cause,
        body,
    }) = messages::open(&app, &message).await?
    else {
        return Ok(());
    };
    if !messages::is_served(&app, &node).await {
        return Ok(());
    }
    match body {
        Up::Hello(hello) => welcome::welcome(&app, &cause, &node, id, &hello).await?,
        Up::Pull(pull) => snapshots::send_chunks(&app, &node, &pull).await?,
        Up::Health(report) => health::record(&app, &cause, &node, &report).await?,
        // They have queues of their own; the kind was compared with the routing key.
        Up::Scanners(report) => scanners::record(&app, &cause, &node, &report).await?,
        Up::Staff(ask) => sign_ins::answer(&app, &node, &ask).await?,
        Up::Ask(_) | Up::Scan(_) | Up::Journal(_) => {}
    }
    Ok(())
}

/// Journal rows; those of a revoked node too, as evidence.
pub(super) async fn on_journal(app: App, message: UplinkMessage) -> Result<(), Failure> {
    let Some(NodeMessage {
        node,
        cause,
        body: Up::Journal(batch),
        ..
    }) = messages::open(&app, &message).await?
    else {
        return Ok(());
    };
    messages::is_served(&app, &node).await;
    if let Some(ack) = journal::receive(&app, &cause, node.node_id, &batch).await? {
        messages::send(&app, node.node_id, Down::JournalAck(ack)).await;
    }
    Ok(())
}
