//! `/fleet/nodes`.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::AppendHeaders;
use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use serde::{Deserialize, Serialize};

use super::gates::{EtagHeader, OfVenue};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::api::{FleetError, import, journal, nodes, venues};
use crate::contexts::fleet::model::node::{Node, Standing};
use crate::contexts::fleet::store;
use crate::contexts::fleet::store::health::Report;
use eventify_kernel::http::{Answer, Caller, IfMatch, Json, Path, Query, StatusCode, etag};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewNode {
    venue_id: VenueId,
    label: String,
    gates: Vec<GateId>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NodeEdit {
    label: String,
    gates: Vec<GateId>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeView {
    node_id: NodeId,
    venue_id: VenueId,
    label: String,
    gates: Vec<GateId>,
    /// `announced`, `enrolled` or `revoked`.
    status: &'static str,
    version: i32,
    enrolled_at: Option<DateTime<Utc>>,
    certificate_expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// What it last said of itself; none before its first word.
    health: Option<HealthView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthView {
    seen_at: DateTime<Utc>,
    mode: String,
    mode_since: DateTime<Utc>,
    cache_age_ms: Option<i64>,
    position: i64,
    unacknowledged: i64,
    free_bytes: i64,
    software: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnnouncedView {
    #[serde(flatten)]
    node: NodeView,
    /// To be typed or pasted on the node; shown this once.
    code: String,
    code_expires_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
pub(super) struct Nodes {
    items: Vec<NodeView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptedView {
    batches: usize,
}

impl NodeView {
    fn of(node: Node, health: Option<Report>) -> Self {
        let status = node.status();
        let (enrolment, revoked_at) = match node.standing {
            Standing::Announced => (None, None),
            Standing::Enrolled(enrolment) => (Some(enrolment), None),
            Standing::Revoked { at, enrolment } => (enrolment, Some(at)),
        };
        Self {
            node_id: node.node_id,
            venue_id: node.venue_id,
            label: node.label,
            gates: node.gates,
            status,
            version: node.version,
            enrolled_at: enrolment.as_ref().map(|enrolment| enrolment.at),
            certificate_expires_at: enrolment.map(|enrolment| enrolment.certificate_expires_at),
            revoked_at,
            health: health.map(HealthView::from),
        }
    }
}

impl From<Report> for HealthView {
    fn from(report: Report) -> Self {
        Self {
            seen_at: report.seen_at,
            mode: report.mode,
            mode_since: report.mode_since,
            cache_age_ms: report.cache_age_ms,
            position: report.head,
            unacknowledged: report.unacknowledged,
            free_bytes: report.free_bytes,
            software: report.software,
        }
    }
}

pub(super) async fn announce(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewNode>,
) -> Answer<(StatusCode, Json<AnnouncedView>)> {
    let NewNode {
        venue_id,
        label,
        gates,
    } = new;
    let principal = caller.principal()?;
    let nodes::Announced { node, code } =
        nodes::announce(&app, &caller.cause, principal, venue_id, &label, gates).await?;
    let code_expires_at = node.code_expires_at;
    let view = AnnouncedView {
        node: NodeView::of(node, None),
        code,
        code_expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(of): Query<OfVenue>,
) -> Answer<Json<Nodes>> {
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, of.venue_id).await?;
    let nodes = store::nodes::of_venue(&mut conn, of.venue_id).await?;
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.node_id).collect();
    let reports = store::health::of_nodes(&mut conn, &ids).await?;
    let mut reports: HashMap<_, _> = reports
        .into_iter()
        .map(|report| (NodeId(report.node_id), report))
        .collect();
    let items = nodes.into_iter().map(|node| {
        let report = reports.remove(&node.node_id);
        NodeView::of(node, report)
    });
    Ok(Json(Nodes {
        items: items.collect(),
    }))
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    seen: IfMatch,
    Path(node): Path<NodeId>,
    Json(edit): Json<NodeEdit>,
) -> Answer<(EtagHeader, Json<NodeView>)> {
    let mut conn = app.db.read(NAME).await?;
    let held = store::nodes::find(&mut conn, node)
        .await?
        .ok_or(FleetError::NodeNotFound)?;
    drop(conn);
    seen.must_match(held.version)?;
    let NodeEdit { label, gates } = edit;
    let plan = nodes::NodePlan {
        label,
        gates,
        seen: held.version,
    };
    let node = nodes::edit(&app, &caller.cause, caller.principal()?, node, plan).await?;
    Ok((
        AppendHeaders([etag(node.version)]),
        Json(NodeView::of(node, None)),
    ))
}

pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
) -> Answer<Json<NodeView>> {
    let node = nodes::revoke(&app, &caller.cause, caller.principal()?, node).await?;
    Ok(Json(NodeView::of(node, None)))
}

pub(super) async fn accept_journal(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
) -> Answer<Json<AcceptedView>> {
    let batches = journal::accept(&app, &caller.cause, caller.principal()?, node).await?;
    Ok(Json(AcceptedView { batches }))
}

#[derive(Debug, Serialize)]
pub(super) struct ImportedView {
    rows: usize,
}

/// JSON lines, as `eventify-edge export-journal` writes them; a long journal comes in several parts,
/// in their order.
pub(super) async fn import_journal(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
    body: Bytes,
) -> Answer<Json<ImportedView>> {
    let lines = std::str::from_utf8(&body)
        .map_err(|_| FleetError::Invalid("body", "UTF-8, one row a line".to_owned()))?;
    let rows = import::import(&app, &caller.cause, caller.principal()?, node, lines).await?;
    Ok(Json(ImportedView { rows }))
}
