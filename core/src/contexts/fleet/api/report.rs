//! The reconciliation of a venue: each outage with what its scans add up to, and every double
//! entry in full; so are entries whose order is unknown, from either side.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, NodeId, ScanId, VenueId};
use eventify_protocol::sync::{Moment, SealedRow};
use eventify_protocol::time::CoreTime;
use eventify_sync::core::ConflictKind;
use eventify_sync::core::report::Report;

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::report::{End, Span, outages};
use crate::contexts::fleet::store::{conflicts, gates, health, nodes, report};
use eventify_contracts::ticketing::CheckInConflict;
use eventify_kernel::db::{DbResult, PgConnection};

/// One outage.
#[derive(Debug)]
pub(crate) struct OutageReport {
    pub(crate) node: NodeId,
    pub(crate) label: String,
    pub(crate) began: Moment,
    pub(crate) ended: Option<End>,
    pub(crate) rows: Vec<Span>,
    pub(crate) report: Report,
}

/// All outages of a venue in a span of time.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    /// In order of node and row.
    pub(crate) outages: Vec<OutageReport>,
    /// The conflicts in which a guest of one of them takes part, as first or as second.
    pub(crate) double_entries: Vec<CheckInConflict>,
    /// The names on the venue's doors.
    pub(crate) gates: BTreeMap<GateId, String>,
}

/// All outages of a venue whose rows came in a span of time.
pub(crate) async fn reconcile(
    app: &App,
    venue: VenueId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> DbResult<Reconciliation> {
    let mut conn = app.db.read(NAME).await?;
    let journals = report::of_venue(&mut conn, venue, from, to).await?;
    let labels: BTreeMap<NodeId, String> = nodes::of_venue(&mut conn, venue)
        .await?
        .into_iter()
        .map(|node| (node.node_id, node.label))
        .collect();
    let gates = gates::of_venue(&mut conn, venue)
        .await?
        .into_iter()
        .map(|gate| (gate.gate_id, gate.name))
        .collect();
    let mut online: BTreeMap<NodeId, Vec<CoreTime>> = BTreeMap::new();
    for (node, heard) in health::online_since(&mut conn, venue, from).await? {
        online.entry(node).or_default().push(heard.into());
    }
    let double_entries = standing(&mut conn, &journals).await?;
    let kinds = kinds(&double_entries);
    let mut reports = Vec::new();
    for (node, rows) in &journals {
        let online = online.get(node).map_or(&[][..], Vec::as_slice);
        for outage in outages(*node, rows, online) {
            reports.push(OutageReport {
                node: outage.node,
                label: labels.get(node).cloned().unwrap_or_default(),
                began: outage.began,
                ended: outage.ended,
                rows: outage.spans(),
                report: outage.report(|scan| kinds.get(&scan).copied()),
            });
        }
    }
    Ok(Reconciliation {
        outages: reports,
        double_entries,
        gates,
    })
}

/// The conflicts in which a guest of these outages takes part. The other may have been let in online
/// meanwhile, at a gate that had no outage.
async fn standing(
    conn: &mut PgConnection,
    journals: &[(NodeId, Vec<SealedRow>)],
) -> DbResult<Vec<CheckInConflict>> {
    let scans: BTreeSet<ScanId> = journals
        .iter()
        .flat_map(|(node, rows)| outages(*node, rows, &[]))
        .flat_map(|outage| outage.admitted().collect::<Vec<_>>())
        .collect();
    let scans: Vec<ScanId> = scans.into_iter().collect();
    conflicts::of_scans(conn, &scans).await
}

/// How the scans of conflicts stand. An unknown order stands on both; somebody who was certainly
/// before is more than somebody who may have been.
fn kinds(conflicts: &[CheckInConflict]) -> BTreeMap<ScanId, ConflictKind> {
    let (unknown, known): (Vec<_>, Vec<_>) = conflicts.iter().partition(|held| held.order_unknown);
    let unknown = unknown
        .iter()
        .flat_map(|held| [held.first.scan_id, held.second.scan_id])
        .map(|scan| (scan, ConflictKind::OrderUnknown));
    let known = known
        .iter()
        .map(|held| (held.second.scan_id, ConflictKind::DoubleEntry));
    unknown.chain(known).collect()
}
