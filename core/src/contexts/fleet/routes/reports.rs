//! The reconciliation report.

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use eventify_contracts::ticketing::{Admission, CheckInConflict, RefundedAdmitted};
use eventify_kernel::http::{Answer, Caller, GivenTime, Json, Path, Query};
use eventify_protocol::ids::{
    ActId, GateId, IncarnationId, NodeId, OrderId, PerformanceId, PersonId, RefundId, ScanId,
    ScannerId, TicketId, VenueId,
};
use eventify_protocol::lan::Reason;
use eventify_protocol::money::Money;
use eventify_protocol::sync::{ActName, Done, Moment};
use eventify_protocol::time::{CoreInterval, CoreTime};
use eventify_protocol::verdict::Mode;
use eventify_protocol::zone::TimeZone;
use eventify_sync::core::report::{ActRow, Gap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contexts::fleet::acts::reconciliation::{self, NodeGap, OutageReport};
use crate::contexts::fleet::acts::venues;
use crate::contexts::fleet::model::outages::{OutageEnd, Span};
use crate::contexts::fleet::store::health::NotHeard;
use crate::contexts::fleet::{App, NAME};

/// What a report covers if the request names no span.
const LAST_DAYS: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    from: Option<GivenTime>,
    to: Option<GivenTime>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reconciliation {
    venue_id: VenueId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Of the venue: each `…Local` is the same instant as its clocks show it.
    time_zone: TimeZone,
    from_local: DateTime<FixedOffset>,
    to_local: DateTime<FixedOffset>,
    outages: Vec<OutageView>,
    double_entries: Vec<DoubleEntry>,
    refunded_admissions: Vec<RefundedAdmission>,
    /// Where rows of a node are missing, in an outage or not.
    gaps: Vec<GapView>,
    /// What people did beside scanning while the core decided; that of outages stands in those.
    acts: Vec<OnlineActView>,
    /// Nodes of which more may come: their journals are not all here.
    not_heard: Vec<NotHeardView>,
    /// Whether all outages add up and no node has a gap.
    adds_up: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OnlineActView {
    node_id: NodeId,
    label: Option<String>,
    #[serde(flatten)]
    act: ActView,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotHeardView {
    node_id: NodeId,
    label: String,
    gates: Vec<String>,
    heard_at: DateTime<Utc>,
    heard_at_local: DateTime<FixedOffset>,
    /// As it was then.
    mode: String,
    /// Rows that it had then and the core has not.
    unacknowledged: i64,
}

impl NotHeardView {
    fn of(node: NotHeard, zone: TimeZone) -> Self {
        Self {
            node_id: node.node_id,
            label: node.label,
            gates: node.gates,
            heard_at: node.heard_at,
            heard_at_local: zone.local(node.heard_at),
            mode: node.mode,
            unacknowledged: node.unacknowledged,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GapView {
    node_id: NodeId,
    label: String,
    #[serde(flatten)]
    gap: Value,
}

/// A conflict with the names of both gates, as far as they are this venue's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DoubleEntry {
    conflict_id: Uuid,
    ticket_id: TicketId,
    order_unknown: bool,
    first: AdmissionView,
    second: AdmissionView,
    dissolved: bool,
    first_gate_name: Option<String>,
    second_gate_name: Option<String>,
    /// Who was on shift there, as the rows say.
    first_person_id: Option<PersonId>,
    second_person_id: Option<PersonId>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionView {
    #[serde(flatten)]
    admission: Admission,
    earliest_local: DateTime<FixedOffset>,
    latest_local: DateTime<FixedOffset>,
}

impl AdmissionView {
    fn of(admission: Admission, zone: TimeZone) -> Self {
        Self {
            earliest_local: zone.local(admission.earliest),
            latest_local: zone.local(admission.latest),
            admission,
        }
    }
}

/// A guest who was let in during an outage though the money goes back. Each is also one of the admitted,
/// the double entries, or those of unknown order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundedAdmission {
    ticket_id: TicketId,
    order_id: OrderId,
    performance_id: PerformanceId,
    /// The seat's label, or the zone's name.
    place: Option<String>,
    /// What was paid for the place.
    amount: Money,
    refund_id: Option<RefundId>,
    /// `suspended` while the refund is on its way, else why the ticket was revoked.
    state: String,
    gate_id: GateId,
    gate_name: Option<String>,
    node_id: Option<NodeId>,
    node_label: Option<String>,
    scan_id: ScanId,
    person_id: Option<PersonId>,
    earliest: DateTime<Utc>,
    latest: DateTime<Utc>,
    earliest_local: DateTime<FixedOffset>,
    latest_local: DateTime<FixedOffset>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutageView {
    node_id: NodeId,
    label: String,
    began: MomentView,
    ended: Option<MomentView>,
    rows: Vec<SpanView>,
    scans: u64,
    admitted: u64,
    refused: BTreeMap<&'static str, u64>,
    double_entries: u64,
    order_unknown: u64,
    overrides: u64,
    /// Admissions that were undone: nobody went in.
    undone: u64,
    /// Guests who left and may have come back; no scans.
    left: u64,
    /// What people did beside scanning, in order.
    acts: Vec<ActView>,
    /// How many of its guests have their money back, and how much, by currency.
    refunded_admissions: u64,
    refunded_amounts: Vec<Money>,
    /// Whether scans = admitted + refused + doubleEntries + orderUnknown + overrides + undone, without a gap.
    adds_up: bool,
    gaps: Vec<Value>,
}

/// Something that somebody did beside scanning. Who they are is in the venue's list of staff.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ActView {
    act_id: ActId,
    kind: ActName,
    person_id: PersonId,
    reason: Option<Reason>,
    gate_id: GateId,
    scanner_id: ScannerId,
    mode: Mode,
    scan_id: Option<ScanId>,
    ticket_id: Option<TicketId>,
    at: MomentView,
}

impl ActView {
    fn of(act: &ActRow, zone: TimeZone) -> Option<Self> {
        let Done {
            by,
            name,
            scan,
            ticket,
        } = act.entry.done()?;
        Some(Self {
            act_id: by.act,
            kind: name,
            person_id: by.person,
            reason: by.reason.clone(),
            gate_id: by.gate,
            scanner_id: by.scanner,
            mode: by.mode,
            scan_id: scan,
            ticket_id: ticket,
            at: MomentView::of(act.at, zone),
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanView {
    incarnation: IncarnationId,
    from: u64,
    to: u64,
}

/// The span of core time that the node could prove, none before its clocks were proven; `wall` is the time of its own
/// clock. An end that the node has reported lies between its last row and the report, which has no `wall`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MomentView {
    known_by: KnownBy,
    earliest: Option<DateTime<Utc>>,
    latest: Option<DateTime<Utc>>,
    wall: Option<DateTime<Utc>>,
    earliest_local: Option<DateTime<FixedOffset>>,
    latest_local: Option<DateTime<FixedOffset>>,
    wall_local: Option<DateTime<FixedOffset>>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum KnownBy {
    /// A row of the node's journal.
    Row,
    /// The node's report of its mode.
    Report,
}

impl MomentView {
    fn of(moment: Moment, zone: TimeZone) -> Self {
        let (earliest, latest) = proven(moment);
        let wall = DateTime::from_timestamp_micros(moment.wall.0);
        Self::new(KnownBy::Row, [earliest, latest, wall], zone)
    }

    fn of_end(end: OutageEnd, last: Moment, zone: TimeZone) -> Self {
        match end {
            OutageEnd::Decision(moment) => Self::of(moment, zone),
            OutageEnd::Reported(at) => {
                let (earliest, latest) = (proven(last).0, at.to_datetime());
                Self::new(KnownBy::Report, [earliest, latest, None], zone)
            }
        }
    }

    fn new(known_by: KnownBy, instants: [Option<DateTime<Utc>>; 3], zone: TimeZone) -> Self {
        let [earliest, latest, wall] = instants;
        let [earliest_local, latest_local, wall_local] =
            instants.map(|at| at.map(|at| zone.local(at)));
        Self {
            known_by,
            earliest,
            latest,
            wall,
            earliest_local,
            latest_local,
            wall_local,
        }
    }
}

/// The earliest and the latest core time that a moment can have been.
fn proven(moment: Moment) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let of = |end: fn(&CoreInterval) -> CoreTime| {
        let core = moment.core.as_ref();
        core.and_then(|core| end(core).to_datetime())
    };
    (of(|core| core.earliest), of(|core| core.latest))
}

impl From<Span> for SpanView {
    fn from(span: Span) -> Self {
        Self {
            incarnation: span.incarnation,
            from: span.from,
            to: span.to,
        }
    }
}

fn gap(gap: &Gap) -> Value {
    match gap {
        Gap::Missing {
            incarnation,
            after,
            before,
        } => json!({
            "kind": "missing", "incarnation": incarnation, "after": after, "before": before,
        }),
        Gap::BegunAnew { held, by } => json!({ "kind": "begunAnew", "held": held, "by": by }),
        Gap::Lost { known, by } => json!({ "kind": "lost", "known": known, "by": by }),
    }
}

impl From<&NodeGap> for GapView {
    fn from(found: &NodeGap) -> Self {
        Self {
            node_id: found.node,
            label: found.label.clone(),
            gap: gap(&found.gap),
        }
    }
}

impl OutageView {
    fn of(outage: &OutageReport, zone: TimeZone) -> Self {
        let report = &outage.report;
        Self {
            node_id: outage.node,
            label: outage.label.clone(),
            began: MomentView::of(outage.began, zone),
            ended: outage
                .ended
                .map(|end| MomentView::of_end(end, outage.last, zone)),
            rows: outage.rows.iter().copied().map(Into::into).collect(),
            scans: report.scans,
            admitted: report.admitted,
            refused: report.refused.clone(),
            double_entries: report.double_entries,
            order_unknown: report.order_unknown,
            overrides: report.overrides,
            undone: report.undone,
            left: report.left,
            acts: report
                .acts
                .iter()
                .filter_map(|act| ActView::of(act, zone))
                .collect(),
            refunded_admissions: outage.refunded.guests,
            refunded_amounts: outage.refunded.amounts.clone(),
            adds_up: report.adds_up(),
            gaps: report.gaps.iter().map(gap).collect(),
        }
    }
}

fn refunded(
    found: &RefundedAdmitted,
    reports: &reconciliation::Reconciliation,
    zone: TimeZone,
) -> RefundedAdmission {
    let admission = &found.admission;
    let label = |node| reports.labels.get(&node).cloned();
    RefundedAdmission {
        ticket_id: found.ticket_id,
        order_id: found.order_id,
        performance_id: found.performance_id,
        place: found.place().map(ToOwned::to_owned),
        amount: found.amount,
        refund_id: found.refund_id,
        state: found.state().to_owned(),
        gate_id: admission.gate_id,
        gate_name: reports.gates.get(&admission.gate_id).cloned(),
        node_id: admission.node_id,
        node_label: admission.node_id.and_then(label),
        scan_id: admission.scan_id,
        person_id: reports.persons.get(&admission.scan_id).copied(),
        earliest: admission.earliest,
        latest: admission.latest,
        earliest_local: zone.local(admission.earliest),
        latest_local: zone.local(admission.latest),
    }
}

fn double_entry(
    conflict: CheckInConflict,
    reports: &reconciliation::Reconciliation,
    zone: TimeZone,
) -> DoubleEntry {
    let gate = |of: &Admission| reports.gates.get(&of.gate_id).cloned();
    let person = |of: &Admission| reports.persons.get(&of.scan_id).copied();
    DoubleEntry {
        conflict_id: conflict.conflict_id,
        ticket_id: conflict.ticket_id,
        order_unknown: conflict.order_unknown,
        first_gate_name: gate(&conflict.first),
        second_gate_name: gate(&conflict.second),
        first_person_id: person(&conflict.first),
        second_person_id: person(&conflict.second),
        first: AdmissionView::of(conflict.first, zone),
        second: AdmissionView::of(conflict.second, zone),
        dissolved: conflict.dissolved,
    }
}

fn acts_online(reports: &reconciliation::Reconciliation, zone: TimeZone) -> Vec<OnlineActView> {
    let acts = reports.acts.iter().filter_map(|(node, act)| {
        Some(OnlineActView {
            node_id: *node,
            label: reports.labels.get(node).cloned(),
            act: ActView::of(act, zone)?,
        })
    });
    acts.collect()
}

pub(super) async fn reconciliation(
    State(app): State<App>,
    caller: Caller,
    Path(venue_id): Path<VenueId>,
    Query(between): Query<Between>,
) -> Answer<Json<Reconciliation>> {
    let mut conn = app.db.read(NAME).await?;
    let venue = venues::own(&mut conn, caller.principal()?, venue_id).await?;
    drop(conn);
    let zone = venue.time_zone;
    let given = |time: Option<GivenTime>| time.map(|GivenTime(time)| time);
    let to = given(between.to).unwrap_or_else(|| app.clock.now());
    let from = given(between.from).unwrap_or(to - LAST_DAYS);
    let reports = reconciliation::reconcile(&app, venue_id, from, to).await?;
    let add_up = |outage: &OutageReport| outage.report.adds_up();
    let outages = reports.outages.iter();
    let not_heard = reports.not_heard.iter().cloned();
    let guests = reports.refunded.iter();
    let doubles = reports.double_entries.iter().cloned();
    Ok(Json(Reconciliation {
        adds_up: reports.gaps.is_empty() && reports.outages.iter().all(add_up),
        gaps: reports.gaps.iter().map(GapView::from).collect(),
        acts: acts_online(&reports, zone),
        not_heard: not_heard.map(|it| NotHeardView::of(it, zone)).collect(),
        refunded_admissions: guests.map(|it| refunded(it, &reports, zone)).collect(),
        venue_id,
        from,
        to,
        time_zone: zone,
        from_local: zone.local(from),
        to_local: zone.local(to),
        outages: outages.map(|it| OutageView::of(it, zone)).collect(),
        double_entries: doubles.map(|it| double_entry(it, &reports, zone)).collect(),
    }))
}
