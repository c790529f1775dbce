//! The reconciliation of a venue: each outage with its scans by class, and every double entry in
//! full. Entries whose order is unknown count on both sides.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::CheckInConflict;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{GateId, NodeId, ScanId, VenueId};
use eventify_protocol::sync::{Moment, SealedRow};
use eventify_protocol::time::CoreTime;
use eventify_sync::core::ConflictKind;
use eventify_sync::core::report::{Gap, Report};

use crate::contexts::fleet::model::outages::{OutageEnd, Span, outages};
use crate::contexts::fleet::store::{conflicts, gates, health, journal_rows, nodes};
use crate::contexts::fleet::{App, NAME};

/// One outage.
#[derive(Debug)]
pub(crate) struct OutageReport {
    pub(crate) node: NodeId,
    pub(crate) label: String,
    pub(crate) began: Moment,
    pub(crate) ended: Option<OutageEnd>,
    pub(crate) rows: Vec<Span>,
    pub(crate) report: Report,
}

/// All outages of a venue in a span of time.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    /// By node, in the order of their rows.
    pub(crate) outages: Vec<OutageReport>,
    /// The conflicts in which a guest of one of the outages takes part, as first or as second.
    pub(crate) double_entries: Vec<CheckInConflict>,
    pub(crate) gates: BTreeMap<GateId, String>,
    pub(crate) gaps: Vec<NodeGap>,
}

/// Rows of a node that are missing.
#[derive(Debug)]
pub(crate) struct NodeGap {
    pub(crate) node: NodeId,
    pub(crate) label: String,
    pub(crate) gap: Gap,
}

/// All outages of a venue whose rows were received in a span of time.
pub(crate) async fn reconcile(
    app: &App,
    venue: VenueId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> DbResult<Reconciliation> {
    let mut conn = app.db.read(NAME).await?;
    let journals = journal_rows::list_received(&mut conn, venue, from, to).await?;
    let nodes = nodes::list(&mut conn, venue).await?.into_iter();
    let labels: BTreeMap<_, _> = nodes.map(|node| (node.node_id, node.label)).collect();
    let gates = gates::list(&mut conn, venue).await?.into_iter();
    let gates = gates.map(|gate| (gate.gate_id, gate.name)).collect();
    let mut online: BTreeMap<NodeId, Vec<CoreTime>> = BTreeMap::new();
    for (node, at) in health::list_online_since(&mut conn, venue, from).await? {
        online.entry(node).or_default().push(at.into());
    }
    let double_entries = list_conflicts(&mut conn, &journals).await?;
    let kinds = conflict_kinds(&double_entries);
    let (mut reports, mut gaps) = (Vec::new(), Vec::new());
    for (node, rows) in &journals {
        let found = Report::of(rows, |_| None).gaps.into_iter();
        gaps.extend(found.map(|gap| NodeGap {
            node: *node,
            label: labels.get(node).cloned().unwrap_or_default(),
            gap,
        }));
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
        gaps,
    })
}

/// The conflicts in which a guest of these outages takes part. The other guest may have been admitted
/// online meanwhile, at a gate that had no outage.
async fn list_conflicts(
    conn: &mut PgConnection,
    journals: &[(NodeId, Vec<SealedRow>)],
) -> DbResult<Vec<CheckInConflict>> {
    let scans: BTreeSet<ScanId> = journals
        .iter()
        .flat_map(|(node, rows)| outages(*node, rows, &[]))
        .flat_map(|outage| outage.admitted().collect::<Vec<_>>())
        .collect();
    let scans: Vec<ScanId> = scans.into_iter().collect();
    conflicts::list_of_scans(conn, &scans).await
}

/// The kind of conflict of each scan. An unknown order counts on both scans; a scan that was
/// certainly second overrides one that may have been.
fn conflict_kinds(conflicts: &[CheckInConflict]) -> BTreeMap<ScanId, ConflictKind> {
    let (unknown, known): (Vec<_>, Vec<_>) = conflicts.iter().partition(|it| it.order_unknown);
    let unknown = unknown
        .iter()
        .flat_map(|it| [it.first.scan_id, it.second.scan_id])
        .map(|scan| (scan, ConflictKind::OrderUnknown));
    let known = known
        .iter()
        .map(|it| (it.second.scan_id, ConflictKind::DoubleEntry));
    unknown.chain(known).collect()
}
