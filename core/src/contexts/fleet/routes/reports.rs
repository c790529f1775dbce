//! What happened: reconciliation, journals, alarms.

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::{JournalRow, Moment, SealedRow};
use eventify_protocol::time::CoreInterval;
use eventify_sync::core::report::Gap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::api::report::{self, OutageReport};
use crate::contexts::fleet::api::{nodes, venues};
use crate::contexts::fleet::model::report::{End, Span};
use crate::contexts::fleet::store::{self, alarms::Raised};
use eventify_contracts::ticketing::CheckInConflict;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Paged, Paging, Path, Query};

/// What a report covers if nothing else is asked.
const LAST_DAYS: TimeDelta = TimeDelta::days(7);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reconciliation {
    venue_id: VenueId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    outages: Vec<OutageView>,
    double_entries: Vec<DoubleEntry>,
}

/// A conflict with the names on both doors, as far as they are this venue's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DoubleEntry {
    #[serde(flatten)]
    conflict: CheckInConflict,
    first_gate_name: Option<String>,
    second_gate_name: Option<String>,
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
    /// scans = admitted + refused + doubleEntries + orderUnknown + overrides.
    adds_up: bool,
    gaps: Vec<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanView {
    incarnation: Uuid,
    from: u64,
    to: u64,
}

/// As well as the node could prove; `wall` is what its own clock said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MomentView {
    earliest: Option<DateTime<Utc>>,
    latest: Option<DateTime<Utc>>,
    wall: Option<DateTime<Utc>>,
}

impl From<Moment> for MomentView {
    fn from(moment: Moment) -> Self {
        let core = |end: fn(&CoreInterval) -> eventify_protocol::time::CoreTime| {
            moment
                .core
                .as_ref()
                .and_then(|core| end(core).to_datetime())
        };
        Self {
            earliest: core(|core| core.earliest),
            latest: core(|core| core.latest),
            wall: DateTime::from_timestamp_micros(moment.wall.0),
        }
    }
}

impl From<End> for MomentView {
    fn from(end: End) -> Self {
        match end {
            End::Decision(moment) => moment.into(),
            End::Word(heard) => Self {
                earliest: None,
                latest: heard.to_datetime(),
                wall: None,
            },
        }
    }
}

impl From<Span> for SpanView {
    fn from(span: Span) -> Self {
        Self {
            incarnation: span.incarnation.as_uuid(),
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
        } => serde_json::json!({
            "kind": "missing", "incarnation": incarnation, "after": after, "before": before,
        }),
        Gap::BegunAnew { held, by } => serde_json::json!({
            "kind": "begunAnew", "held": held, "by": by,
        }),
    }
}

impl From<&OutageReport> for OutageView {
    fn from(outage: &OutageReport) -> Self {
        let report = &outage.report;
        Self {
            node_id: outage.node,
            label: outage.label.clone(),
            began: outage.began.into(),
            ended: outage.ended.map(Into::into),
            rows: outage.rows.iter().copied().map(Into::into).collect(),
            scans: report.scans,
            admitted: report.admitted,
            refused: report.refused.clone(),
            double_entries: report.double_entries,
            order_unknown: report.order_unknown,
            // Rows that record one come with their own issue.
            overrides: 0,
            adds_up: report.classified() == report.scans,
            gaps: report.gaps.iter().map(gap).collect(),
        }
    }
}

pub(super) async fn reconciliation(
    State(app): State<App>,
    caller: Caller,
    Path(venue_id): Path<VenueId>,
    Query(between): Query<Between>,
) -> Answer<Json<Reconciliation>> {
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, venue_id).await?;
    drop(conn);
    let to = between.to.unwrap_or_else(|| app.clock.now());
    let from = between.from.unwrap_or(to - LAST_DAYS);
    let reports = report::reconcile(&app, venue_id, from, to).await?;
    Ok(Json(Reconciliation {
        venue_id,
        from,
        to,
        outages: reports.outages.iter().map(OutageView::from).collect(),
        double_entries: reports
            .double_entries
            .into_iter()
            .map(|conflict| DoubleEntry {
                first_gate_name: reports.gates.get(&conflict.first.gate_id).cloned(),
                second_gate_name: reports.gates.get(&conflict.second.gate_id).cloned(),
                conflict,
            })
            .collect(),
    }))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowView {
    #[serde(flatten)]
    row: JournalRow,
    hash: String,
    received_at: DateTime<Utc>,
    /// What ticketing made of it; none until it has, and for rows that decide nothing.
    outcome: Option<Value>,
}

pub(super) async fn journal(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
    paging: Paging,
) -> Answer<Json<Paged<RowView>>> {
    let mut conn = app.db.read(NAME).await?;
    nodes::own(&mut conn, caller.principal()?, node).await?;
    let (rows, total) = store::report::page(&mut conn, node, paging).await?;
    let items = rows.into_iter().map(|listed| {
        let sealed = SealedRow::read(&listed.bytes).map_err(ApiError::internal)?;
        Ok(RowView {
            row: sealed.row().clone(),
            hash: sealed.hash().to_string(),
            received_at: listed.received_at,
            outcome: listed.outcome.map(|outcome| outcome.0),
        })
    });
    let items = items.collect::<Result<Vec<_>, ApiError>>()?;
    Ok(Json(paging.answer(items, total)))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlarmView {
    alarm_id: Uuid,
    code: String,
    venue_id: Option<Uuid>,
    node_id: Option<Uuid>,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    occurrences: i64,
    details: Value,
}

impl From<Raised> for AlarmView {
    fn from(raised: Raised) -> Self {
        let Raised {
            alarm_id,
            code,
            venue_id,
            node_id,
            first_at,
            last_at,
            occurrences,
            details,
        } = raised;
        let details = details.0;
        Self {
            alarm_id,
            code,
            venue_id,
            node_id,
            first_at,
            last_at,
            occurrences,
            details,
        }
    }
}

pub(super) async fn alarms(
    State(app): State<App>,
    caller: Caller,
    paging: Paging,
) -> Answer<Json<Paged<AlarmView>>> {
    let mut conn = app.db.read(NAME).await?;
    let venues = venues::visible(&mut conn, caller.principal()?).await?;
    let (raised, total) = store::alarms::page(&mut conn, venues.as_deref(), paging).await?;
    let items = raised.into_iter().map(AlarmView::from).collect();
    Ok(Json(paging.answer(items, total)))
}
