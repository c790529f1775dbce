//! `/fleet/nodes`.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::AppendHeaders;
use chrono::{DateTime, Utc};
use eventify_kernel::http::{Answer, Caller, IfMatch, Json, Paged, Path, Query, etag};
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gates::{EtagHeader, OfVenue};
use super::{Created, created};
use crate::contexts::fleet::acts::nodes::{self, Announced, NodePlan};
use crate::contexts::fleet::acts::{FleetError, import, journal, renewal, venues};
use crate::contexts::fleet::model::node::{Node, NodeState};
use crate::contexts::fleet::model::watch::HEARD_WITHIN;
use crate::contexts::fleet::store::health::NodeHealth;
use crate::contexts::fleet::{App, NAME, store};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewNode {
    venue_id: VenueId,
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
    /// Set while the node may renew an expired certificate.
    renewal_allowed_until: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// Its last report; none before the first.
    health: Option<HealthView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthView {
    seen_at: DateTime<Utc>,
    /// Since when nothing was heard of it; none of one that reports. All that follows is as it was then.
    silent_since: Option<DateTime<Utc>>,
    mode: String,
    mode_since: DateTime<Utc>,
    cache_age_ms: Option<i64>,
    position: i64,
    unacknowledged: i64,
    free_bytes: i64,
    software: String,
    /// Texts that were no tickets, since its start.
    unreadable: Option<i64>,
    /// Why its journal takes no row, and it answers new scans with an error: `held` or `noSpace`.
    journal_fault: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnnouncedView {
    #[serde(flatten)]
    node: NodeView,
    /// To be entered on the node; shown only here.
    code: String,
    code_expires_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptedView {
    batches: usize,
}

impl NodeView {
    fn of(node: Node) -> Self {
        let status = node.status();
        let (enrolment, revoked_at) = match node.state {
            NodeState::Announced => (None, None),
            NodeState::Enrolled(enrolment) => (Some(enrolment), None),
            NodeState::Revoked { at, enrolment } => (enrolment, Some(at)),
        };
        Self {
            node_id: node.node_id,
            venue_id: node.venue_id,
            label: node.label,
            gates: node.gates,
            status,
            version: node.version,
            enrolled_at: enrolment.as_ref().map(|enrolment| enrolment.at),
            renewal_allowed_until: enrolment
                .as_ref()
                .and_then(|enrolment| enrolment.renewal_allowed_until),
            certificate_expires_at: enrolment.map(|enrolment| enrolment.certificate_expires_at),
            revoked_at,
            health: None,
        }
    }

    fn with(mut self, report: Option<NodeHealth>, now: DateTime<Utc>) -> Self {
        self.health = report.map(|report| HealthView::of(report, now));
        self
    }
}

impl HealthView {
    fn of(report: NodeHealth, now: DateTime<Utc>) -> Self {
        let silent = now - report.seen_at > HEARD_WITHIN;
        Self {
            seen_at: report.seen_at,
            silent_since: silent.then_some(report.seen_at),
            mode: report.mode,
            mode_since: report.mode_since,
            cache_age_ms: report.cache_age_ms,
            position: report.head,
            unacknowledged: report.unacknowledged,
            free_bytes: report.free_bytes,
            software: report.software,
            unreadable: report.unreadable,
            journal_fault: report.journal_fault,
        }
    }
}

pub(super) async fn announce(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewNode>,
) -> Answer<Created<AnnouncedView>> {
    let plan = NodePlan {
        label: new.label,
        gates: new.gates,
    };
    let principal = caller.principal()?;
    let Announced { node, code } =
        nodes::announce(&app, &caller.cause, principal, new.venue_id, plan).await?;
    let code_expires_at = node.code_expires_at;
    let path = format!("/fleet/nodes/{}", node.node_id);
    let view = AnnouncedView {
        node: NodeView::of(node),
        code,
        code_expires_at,
    };
    Ok(created(path, view))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(of): Query<OfVenue>,
) -> Answer<Json<Paged<NodeView>>> {
    let paging = of.paging()?;
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, of.venue_id).await?;
    let (nodes, total) = store::nodes::list_page(&mut conn, of.venue_id, paging).await?;
    let ids: Vec<NodeId> = nodes.iter().map(|node| node.node_id).collect();
    let reports = store::health::list(&mut conn, &ids).await?.into_iter();
    let mut reports: HashMap<_, _> = reports.map(|report| (report.node_id, report)).collect();
    let now = app.clock.now();
    let items = nodes.into_iter().map(|node| {
        let report = reports.remove(&node.node_id);
        NodeView::of(node).with(report, now)
    });
    Ok(Json(paging.answer(items.collect(), total)))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
) -> Answer<(EtagHeader, Json<NodeView>)> {
    let mut conn = app.db.read(NAME).await?;
    let node = store::nodes::find(&mut conn, node).await?;
    let node = node.ok_or(FleetError::NodeNotFound)?;
    venues::own(&mut conn, caller.principal()?, node.venue_id).await?;
    let report = store::health::list(&mut conn, &[node.node_id]).await?.pop();
    let tag = AppendHeaders([etag(node.version)]);
    Ok((tag, Json(NodeView::of(node).with(report, app.clock.now()))))
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    version: IfMatch,
    Path(node): Path<NodeId>,
    Json(plan): Json<NodePlan>,
) -> Answer<(EtagHeader, Json<NodeView>)> {
    let mut conn = app.db.read(NAME).await?;
    let before = store::nodes::find(&mut conn, node)
        .await?
        .ok_or(FleetError::NodeNotFound)?;
    // Before the version: a stranger learns none.
    venues::own(&mut conn, caller.principal()?, before.venue_id).await?;
    drop(conn);
    version.must_match(before.version)?;
    let before = (node, before.version);
    let node = nodes::edit(&app, &caller.cause, caller.principal()?, before, plan).await?;
    Ok((
        AppendHeaders([etag(node.version)]),
        Json(NodeView::of(node)),
    ))
}

pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
) -> Answer<Json<NodeView>> {
    let node = nodes::revoke(&app, &caller.cause, caller.principal()?, node).await?;
    Ok(Json(NodeView::of(node)))
}

pub(super) async fn allow_renewal(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
) -> Answer<Json<NodeView>> {
    let node = renewal::allow(&app, &caller.cause, caller.principal()?, node).await?;
    Ok(Json(NodeView::of(node)))
}

pub(super) async fn accept_journal(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
) -> Answer<Json<AcceptedView>> {
    let batches = journal::accept_held(&app, &caller.cause, caller.principal()?, node).await?;
    Ok(Json(AcceptedView { batches }))
}

#[derive(Debug, Serialize)]
pub(super) struct ImportedView {
    rows: usize,
}

/// JSON lines, as `eventify-edge export-journal` writes them. A long journal is sent in several parts,
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
