//! The reconciliation of a venue: each outage with what its scans add up to, and every double
//! entry in full; so are entries whose order is unknown, from either side.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, NodeId, ScanId, VenueId};
use eventify_protocol::sync::{Moment, SealedRow};
use eventify_protocol::time::CoreTime;
use eventify_sync::core::ConflictKind;
use eventify_sync::core::report::Report;

use crate::app::App;
use crate::db::{DbResult, PgConnection};
use crate::fleet::NAME;
use crate::fleet::model::report::{End, Span, outages};
use crate::fleet::store::{conflicts, gates, health, nodes, report};
use crate::ticketing::events::CheckInConflict;

/// One outage.
#[derive(Debug)]
pub(in crate::fleet) struct OutageReport {
    pub(in crate::fleet) node: NodeId,
    pub(in crate::fleet) label: String,
    pub(in crate::fleet) began: Moment,
    pub(in crate::fleet) ended: Option<End>,
    pub(in crate::fleet) rows: Vec<Span>,
    pub(in crate::fleet) report: Report,
}

/// All outages of a venue in a span of time.
#[derive(Debug)]
pub(in crate::fleet) struct Reconciliation {
    /// In order of node and row.
    pub(in crate::fleet) outages: Vec<OutageReport>,
    /// The conflicts in which a guest of one of them takes part, as first or as second.
    pub(in crate::fleet) double_entries: Vec<CheckInConflict>,
    /// The names on the venue's doors.
    pub(in crate::fleet) gates: BTreeMap<GateId, String>,
}

/// All outages of a venue whose rows came in a span of time.
pub(in crate::fleet) async fn reconcile(
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
