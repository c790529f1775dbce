//! The nodes' messages. Whatever goes wrong with one, it is acknowledged to the broker: nodes ask
//! again.

use eventify_protocol::sync::{Down, Health, Up};

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::api::uplink::{self, Received};
use crate::contexts::fleet::api::{journal, points, snapshots, welcome};
use crate::contexts::fleet::model::health::{bounded, mode_name};
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::health;
use eventify_contracts::fleet::NodeModeChanged;
use eventify_kernel::bus::UplinkMessage;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_kernel::failure::Failure;

/// "What is true now?"
pub(super) async fn on_ask(app: App, message: UplinkMessage) -> Result<(), Failure> {
    let Some(Received {
        node,
        cause,
        body: Up::Ask(ask),
        ..
    }) = uplink::open(&app, &message).await?
    else {
        return Ok(());
    };
    if uplink::serves(&app, &node).await
        && let Some(point) = points::answer(&app, &cause, &node, ask.nonce).await?
    {
        uplink::send(&app, node.node_id, Down::Point(point)).await;
    }
    Ok(())
}

/// `Hello`, `Pull` and `Health`.
pub(super) async fn on_control(app: App, message: UplinkMessage) -> Result<(), Failure> {
    let Some(Received {
        node,
        id,
        cause,
        body,
    }) = uplink::open(&app, &message).await?
    else {
        return Ok(());
    };
    if !uplink::serves(&app, &node).await {
        return Ok(());
    }
    match body {
        Up::Hello(hello) => welcome::welcome(&app, &cause, &node, id, &hello).await?,
        Up::Pull(pull) => snapshots::pull(&app, &node, &pull).await?,
        Up::Health(report) => note_health(&app, &cause, &node, &report).await?,
        // Their kinds have queues of their own; the kind was compared with the routing key.
        Up::Ask(_) | Up::Scan(_) | Up::Journal(_) => {}
    }
    Ok(())
}

/// Journal rows: of a revoked node too, as evidence.
pub(super) async fn on_journal(app: App, message: UplinkMessage) -> Result<(), Failure> {
    let Some(Received {
        node,
        cause,
        body: Up::Journal(batch),
        ..
    }) = uplink::open(&app, &message).await?
    else {
        return Ok(());
    };
    uplink::serves(&app, &node).await;
    if let Some(ack) = journal::take(&app, &cause, node.node_id, &batch).await? {
        uplink::send(&app, node.node_id, Down::JournalAck(ack)).await;
    }
    Ok(())
}

async fn note_health(app: &App, cause: &Cause, node: &Node, report: &Health) -> DbResult<()> {
    let report = bounded(report);
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let before = health::lock_mode(&mut tx, node.node_id).await?;
    let mode = mode_name(report.mode);
    let changed = before.as_ref().is_none_or(|(before, _)| before != mode);
    let changes = before.as_ref().map_or(0, |(_, changes)| *changes) + i32::from(changed);
    health::note(&mut tx, node.node_id, &report, changes, now).await?;
    if changed {
        health::note_change(&mut tx, node.node_id, changes, report.mode, now).await?;
        let event = NodeModeChanged {
            node_id: node.node_id,
            venue_id: node.venue_id,
            from: before.map(|(before, _)| before),
            to: mode.to_owned(),
            at: now,
        };
        tx.publish(app.clock.new_id(), changes, &event);
    }
    tx.commit().await
}
