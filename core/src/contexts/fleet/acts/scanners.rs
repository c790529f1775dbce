//! Scanners paired with nodes: the nodes report them, venue IT orders. An order is a row until the node has
//! reported that it was carried out; sending it is only a try.

use chrono::{DateTime, Utc};
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{NodeId, ScannerId};
use eventify_protocol::sync::{
    Config, Down, MAX_SCANNERS_A_MESSAGE, ScannerChange, ScannerOrders, ScannersReport,
};
use serde::Serialize;

use super::nodes::own;
use super::{FleetError, messages};
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::model::scanners::{
    Effective, HEARD_WITHIN, MAX_OPEN_ORDERS, ScannerEdit, bounded,
};
use crate::contexts::fleet::store::{health, nodes, scanners, venues};
use crate::contexts::fleet::{App, NAME};

/// A node's answer to an order is yet to come.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ordered {
    pub(crate) node_id: NodeId,
    pub(crate) scanner_id: ScannerId,
    /// Number of the order.
    pub(crate) order: u64,
    pub(crate) effective: Effective,
    /// When the node was last heard; none for never.
    pub(crate) node_heard_at: Option<DateTime<Utc>>,
}

/// Stores a part of a node's list and answers with what is held, and what is ordered.
pub(crate) async fn record(
    app: &App,
    cause: &Cause,
    node: &Node,
    report: &ScannersReport,
) -> DbResult<()> {
    let report = bounded(report);
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    nodes::lock(&mut tx, node.node_id).await?;
    scanners::mark_done(&mut tx, node.node_id, &report, now).await?;
    let held = scanners::find_list(&mut tx, node.node_id).await?;
    let held = held.map_or(0, |list| list.revision.cast_unsigned());
    if report.revision >= held {
        scanners::upsert(&mut tx, node.node_id, &report).await?;
        scanners::complete(&mut tx, node.node_id, &report, now).await?;
    }
    tx.commit().await?;
    send(app, node.node_id).await
}

/// Tells a node what is held of its list, what it has not reported of its orders, and what the clocks of its
/// venue show. That also says that
/// this core takes reports.
pub(crate) async fn send(app: &App, node: NodeId) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let list = scanners::find_list(&mut conn, node).await?;
    let orders = scanners::list_open(&mut conn, node, MAX_SCANNERS_A_MESSAGE).await?;
    let time_zone = venues::find_time_zone(&mut conn, node).await?;
    drop(conn);
    let config = Config {
        revoked: false,
        duplicate: None,
        scanners: Some(ScannerOrders {
            revision: list.map_or(0, |list| list.revision.cast_unsigned()),
            orders,
        }),
        time_zone: Some(time_zone.name().to_owned()),
    };
    messages::send(app, node, Down::Config(config)).await;
    Ok(())
}

/// Sends orders again that nodes have not reported, to those that are connected.
pub(crate) async fn repeat(app: &App) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let waiting = scanners::list_waiting(&mut conn, app.clock.now() - HEARD_WITHIN).await?;
    drop(conn);
    for node in waiting {
        send(app, node).await?;
    }
    Ok(())
}

/// Ends a pairing.
pub(crate) async fn unpair(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    scanner: (NodeId, ScannerId),
) -> Result<Ordered, FleetError> {
    order(app, cause, principal, scanner, |_| {
        Ok(ScannerChange::Unpair)
    })
    .await
}

/// Gives a scanner another label or other gates.
pub(crate) async fn edit(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    scanner: (NodeId, ScannerId),
    edit: ScannerEdit,
) -> Result<Ordered, FleetError> {
    order(app, cause, principal, scanner, |node| {
        let change = edit.check(&node.gates);
        change.map_err(|(field, issue)| FleetError::Invalid(field, issue))
    })
    .await
}

async fn order(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (node, scanner): (NodeId, ScannerId),
    change: impl FnOnce(&Node) -> Result<ScannerChange, FleetError>,
) -> Result<Ordered, FleetError> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = own(&mut tx, principal, node).await?;
    if !node.is_enrolled() {
        return Err(FleetError::NodeNotInService);
    }
    let change = change(&node)?;
    if !scanners::exists(&mut tx, node.node_id, scanner).await? {
        return Err(FleetError::ScannerNotFound);
    }
    let open = scanners::list_open(&mut tx, node.node_id, MAX_OPEN_ORDERS).await?;
    let same = open
        .iter()
        .rfind(|order| order.scanner == scanner)
        .filter(|order| order.change == change);
    let number = match same {
        Some(order) => order.number,
        None if open.len() >= MAX_OPEN_ORDERS => return Err(FleetError::TooManyOrders),
        None => {
            let order = scanners::NewOrder {
                node: node.node_id,
                scanner,
                change: &change,
                by: principal.user_id,
                at: now,
            };
            scanners::insert_order(&mut tx, order).await?
        }
    };
    let health = health::list(&mut tx, &[node.node_id]).await?;
    let node_heard_at = health.first().map(|health| health.seen_at);
    tx.commit().await?;
    send(app, node.node_id).await?;
    Ok(Ordered {
        node_id: node.node_id,
        scanner_id: scanner,
        order: number,
        effective: Effective::of(node_heard_at, now),
        node_heard_at,
    })
}
