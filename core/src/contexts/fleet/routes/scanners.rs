//! `/fleet/nodes/{nodeId}/scanners`.

use axum::extract::State;
use axum::http::header::{HeaderName, LOCATION};
use chrono::{DateTime, Utc};
use eventify_kernel::http::{Answer, Caller, Json, Paged, Paging, Path, StatusCode};
use eventify_protocol::ids::{GateId, NodeId, ScannerId};
use serde::Serialize;

use crate::contexts::fleet::acts::scanners::{self, Ordered};
use crate::contexts::fleet::acts::{FleetError, venues};
use crate::contexts::fleet::model::scanners::ScannerEdit;
use crate::contexts::fleet::{App, NAME, store};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scanners {
    node_id: NodeId,
    /// When the node last reported its list; none if it never has.
    as_of: Option<DateTime<Utc>>,
    #[serde(flatten)]
    scanners: Paged<ScannerView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScannerView {
    scanner_id: ScannerId,
    label: String,
    /// None means all gates of the node.
    gates: Option<Vec<GateId>>,
    paired_at: Option<DateTime<Utc>>,
    /// A few hours coarse.
    last_seen_at: Option<DateTime<Utc>>,
    /// `unpair` or `edit`: ordered, and not yet reported by the node.
    pending: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
    paging: Paging,
) -> Answer<Json<Scanners>> {
    let mut conn = app.db.read(NAME).await?;
    let node = store::nodes::find(&mut conn, node)
        .await?
        .ok_or(FleetError::NodeNotFound)?;
    venues::own(&mut conn, caller.principal()?, node.venue_id).await?;
    let list = store::scanners::find_list(&mut conn, node.node_id).await?;
    let scanners = store::scanners::list(&mut conn, node.node_id).await?;
    let items = scanners.into_iter().map(|scanner| ScannerView {
        scanner_id: scanner.scanner_id,
        label: scanner.label,
        gates: scanner.gates,
        paired_at: scanner.paired_at,
        last_seen_at: scanner.last_seen_at,
        pending: scanner.pending,
    });
    Ok(Json(Scanners {
        node_id: node.node_id,
        as_of: list.map(|list| list.reported_at),
        // A node has a few hundred places at most.
        scanners: paging.slice(items.collect()),
    }))
}

type Accepted = (StatusCode, [(HeaderName, String); 1], Json<Ordered>);

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(scanner): Path<(NodeId, ScannerId)>,
    Json(edit): Json<ScannerEdit>,
) -> Answer<Accepted> {
    let ordered = scanners::edit(&app, &caller.cause, caller.principal()?, scanner, edit).await?;
    Ok(accepted(scanner.0, ordered))
}

pub(super) async fn unpair(
    State(app): State<App>,
    caller: Caller,
    Path(scanner): Path<(NodeId, ScannerId)>,
) -> Answer<Accepted> {
    let ordered = scanners::unpair(&app, &caller.cause, caller.principal()?, scanner).await?;
    Ok(accepted(scanner.0, ordered))
}

/// The node's list shows what of it waits.
fn accepted(node: NodeId, ordered: Ordered) -> Accepted {
    let path = format!("/fleet/nodes/{node}/scanners");
    (StatusCode::ACCEPTED, [(LOCATION, path)], Json(ordered))
}
