//! The reconciliation of a venue: each outage with its scans by class, and every double entry in
//! full. Entries whose order is unknown count on both sides. Guests whose money goes back are named with it;
//! each is one of the admitted or of the double entries, so they change no sum.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::{CheckInConflict, RefundedAdmitted};
use eventify_kernel::db::{DbError, DbResult};
use eventify_protocol::ids::{GateId, NodeId, PersonId, ScanId, VenueId};
use eventify_protocol::money::{Currency, Money, MoneyError};
use eventify_protocol::sync::{JournalEntry, Moment, SealedRow};
use eventify_protocol::time::CoreTime;
use eventify_sync::core::ConflictKind;
use eventify_sync::core::report::{ActRow, Gap, Report};

use crate::contexts::fleet::model::outages::{Outage, OutageEnd, Span, outages};
use crate::contexts::fleet::model::watch::HEARD_WITHIN;
use crate::contexts::fleet::store::health::NotHeard;
use crate::contexts::fleet::store::{conflicts, gates, health, journal_rows, nodes, refunded};
use crate::contexts::fleet::{App, NAME};

/// One outage.
#[derive(Debug)]
pub(crate) struct OutageReport {
    pub(crate) node: NodeId,
    pub(crate) label: String,
    pub(crate) began: Moment,
    pub(crate) ended: Option<OutageEnd>,
    /// Of its last row: it had not ended then.
    pub(crate) last: Moment,
    pub(crate) rows: Vec<Span>,
    pub(crate) report: Report,
    pub(crate) refunded: RefundedSum,
}

/// Guests of an outage whose money goes back.
#[derive(Debug, Default)]
pub(crate) struct RefundedSum {
    pub(crate) guests: u64,
    /// One for each currency.
    pub(crate) amounts: Vec<Money>,
}

/// All outages of a venue in a span of time.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    /// By node, in the order of their rows.
    pub(crate) outages: Vec<OutageReport>,
    /// The conflicts in which a guest of one of the outages takes part, as first or as second.
    pub(crate) double_entries: Vec<CheckInConflict>,
    /// Guests of the outages whose money goes back.
    pub(crate) refunded: Vec<RefundedAdmitted>,
    pub(crate) gates: BTreeMap<GateId, String>,
    pub(crate) labels: BTreeMap<NodeId, String>,
    /// Who was on shift at the scanner, by scan, as far as these rows say.
    pub(crate) persons: BTreeMap<ScanId, PersonId>,
    pub(crate) gaps: Vec<NodeGap>,
    /// What people did beside scanning while the core decided: it is of no outage.
    pub(crate) acts: Vec<(NodeId, ActRow)>,
    /// Nodes whose journals may have more than stands here.
    pub(crate) not_heard: Vec<NotHeard>,
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
    let admitted = admitted(&journals);
    // The other guest may have been admitted online meanwhile, at a gate that had no outage.
    let double_entries = conflicts::list_of_scans(&mut conn, &admitted).await?;
    let refunded = refunded::list_of_scans(&mut conn, venue, &admitted).await?;
    let kinds = conflict_kinds(&double_entries);
    let since = (from, app.clock.now() - HEARD_WITHIN);
    let not_heard = health::list_not_heard(&mut conn, venue, since).await?;
    let (mut reports, mut gaps, mut acts) = (Vec::new(), Vec::new(), Vec::new());
    for (node, rows) in &journals {
        let all = Report::of(rows, |_| None);
        gaps.extend(all.gaps.into_iter().map(|gap| NodeGap {
            node: *node,
            label: labels.get(node).cloned().unwrap_or_default(),
            gap,
        }));
        let online = online.get(node).map_or(&[][..], Vec::as_slice);
        let mut others = all.acts;
        for outage in outages(*node, rows, online) {
            others.retain(|act| !outage.rows.iter().any(|row| row.row().entry == act.entry));
            reports.push(OutageReport {
                node: outage.node,
                label: labels.get(node).cloned().unwrap_or_default(),
                began: outage.began,
                ended: outage.ended,
                last: outage.rows.last().map_or(outage.began, |row| row.row().at),
                rows: outage.spans(),
                report: outage.report(|scan| kinds.get(&scan).copied()),
                refunded: sum(&outage, &refunded).map_err(DbError::impossible_row)?,
            });
        }
        acts.extend(others.into_iter().map(|act| (*node, act)));
    }
    Ok(Reconciliation {
        acts,
        not_heard,
        outages: reports,
        double_entries,
        refunded,
        gates,
        labels,
        persons: persons(&journals),
        gaps,
    })
}

/// Who was on shift at each decision.
fn persons(journals: &[(NodeId, Vec<SealedRow>)]) -> BTreeMap<ScanId, PersonId> {
    let rows = journals.iter().flat_map(|(_, rows)| rows);
    let decisions = rows.filter_map(|row| match &row.row().entry {
        JournalEntry::Decision(decision) => Some((decision.scan, decision.person?)),
        JournalEntry::Opened { .. }
        | JournalEntry::Voided { .. }
        | JournalEntry::RefusedAgain { .. }
        | JournalEntry::Unreadable { .. }
        | JournalEntry::Overridden(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_)
        | JournalEntry::Searched(_) => None,
    });
    decisions.collect()
}

/// The scans that let a guest of an outage in.
fn admitted(journals: &[(NodeId, Vec<SealedRow>)]) -> Vec<ScanId> {
    let scans: BTreeSet<ScanId> = journals
        .iter()
        .flat_map(|(node, rows)| outages(*node, rows, &[]))
        .flat_map(|outage| outage.admitted().collect::<Vec<_>>())
        .collect();
    scans.into_iter().collect()
}

/// How many guests of an outage have their money back, and how much, by currency.
fn sum(outage: &Outage<'_>, refunded: &[RefundedAdmitted]) -> Result<RefundedSum, MoneyError> {
    let scans: BTreeSet<ScanId> = outage.admitted().collect();
    let of_outage = refunded
        .iter()
        .filter(|it| scans.contains(&it.admission.scan_id));
    let (mut guests, mut amounts) = (0, BTreeMap::<Currency, Money>::new());
    for finding in of_outage {
        guests += 1;
        let currency = finding.amount.currency();
        let before = amounts.get(&currency).copied();
        let sum = match before {
            Some(before) => before.plus(finding.amount)?,
            None => finding.amount,
        };
        amounts.insert(currency, sum);
    }
    Ok(RefundedSum {
        guests,
        amounts: amounts.into_values().collect(),
    })
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
