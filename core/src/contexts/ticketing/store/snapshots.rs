//! What a group of scans reads and writes, in as few round trips as possible.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, epoch};
use eventify_protocol::ids::{CheckInId, GateId, PerformanceId, ScanId, TicketId, VenueId};
use eventify_protocol::sync::GateEntry;
use eventify_protocol::time::CoreTime;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};

use super::check_ins::{self, EntryRow};
use super::conflicts::ConflictRow;
use super::performances::{self, ShowRow};
use super::scans::{self, ScanRow};
use super::tickets::{self, TicketRow};
use super::{column, joined, unsigned};
use crate::contexts::ticketing::model::{
    Gate, Node, Performance, PublishedConflict, ScanRequest, Snapshot, StoredScan, Ticket,
};

#[derive(FromRow)]
struct SnapshotRow {
    now: DateTime<Utc>,
    keys: Option<i64>,
    conflict: Option<Json<ConflictRow>>,
}

#[derive(FromRow)]
struct NodeRow {
    node_venue_id: VenueId,
    node_gates: Vec<GateId>,
    node_revoked: bool,
}

#[derive(FromRow)]
struct GateRow {
    gate_venue_id: VenueId,
    gate_name: String,
    gate_performances: Vec<PerformanceId>,
    gate_categories: Vec<String>,
}

impl From<NodeRow> for Node {
    fn from(row: NodeRow) -> Self {
        Self {
            venue: row.node_venue_id,
            gates: row.node_gates,
            revoked: row.node_revoked,
        }
    }
}

impl TryFrom<GateRow> for Gate {
    type Error = DbError;

    fn try_from(row: GateRow) -> DbResult<Self> {
        let categories = row.gate_categories.iter().map(|code| code.parse());
        Ok(Self {
            venue: row.gate_venue_id,
            entry: GateEntry {
                name: row.gate_name,
                performances: row.gate_performances,
                categories: categories
                    .collect::<Result<_, _>>()
                    .map_err(DbError::impossible_row)?,
            },
        })
    }
}

/// Locks tickets in the order of their ids, and returns those that are locked: all of them, or
/// without `waits` those that nobody else has locked. What was read before may be out of date.
pub(crate) async fn lock_tickets_of_scans(
    conn: &mut PgConnection,
    tickets: &[TicketId],
    waits: bool,
) -> DbResult<BTreeSet<TicketId>> {
    let lock = if waits {
        "select ticket_id from ticketing.tickets where ticket_id = any($1) order by ticket_id
         for update"
    } else {
        "select ticket_id from ticketing.tickets where ticket_id = any($1) order by ticket_id
         for update skip locked"
    };
    let locked: Vec<TicketId> = sqlx::query_scalar(lock)
        .bind(tickets)
        .fetch_all(conn)
        .await?;
    Ok(locked.into_iter().collect())
}

/// Reads all that decisions need, and the clock after the locks; in the order of the requests. Of
/// conflicts it reads that of the scan.
///
/// `lateral` and `limit` make it an index look-up for each request: a join would be planned once,
/// while the tables are small, and then read them whole as they grow. `(select $1)` hides from the
/// planner how many requests there are: it would plan anew for each number, which takes longer than
/// the query.
pub(crate) async fn find_snapshots(
    conn: &mut PgConnection,
    requests: &[&ScanRequest],
) -> DbResult<Vec<Snapshot>> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select clock_timestamp() as now, {epoch},
             (select max(version) from ticketing.key_sets) as keys,
             node.venue_id as node_venue_id, node.gates as node_gates,
             node.revoked as node_revoked, gate.venue_id as gate_venue_id,
             gate.name as gate_name, gate.performances as gate_performances,
             gate.categories as gate_categories, to_jsonb(conflict) as conflict,
             {scan}, {entry}, {ticket}, {show}
         from unnest((select $1::uuid[]), (select $2::uuid[]), (select $3::uuid[]),
                 (select $4::uuid[])) with ordinality
                 as request (scan_id, ticket_id, gate_id, node_id, place)
             left join lateral (select * from ticketing.nodes
                 where node_id = request.node_id limit 1) as node on true
             left join lateral (select * from ticketing.gates
                 where gate_id = request.gate_id limit 1) as gate on true
             left join lateral (select * from ticketing.scans
                 where scan_id = request.scan_id limit 1) as scan on true
             left join lateral (select * from ticketing.tickets
                 where ticket_id = request.ticket_id limit 1) as ticket on true
             left join lateral (select * from ticketing.performances
                 where performance_id = ticket.performance_id limit 1) as show on true
             left join lateral (select * from ticketing.checkins
                 where ticket_id = ticket.ticket_id and passage = ticket.passage limit 1)
                 as entry on true
             left join lateral (select * from ticketing.checkin_conflicts
                 where ticket_id = ticket.ticket_id and passage = ticket.passage
                     and scan_id = request.scan_id limit 1) as conflict on true
         order by request.place",
        epoch = epoch::COLUMNS,
        scan = scans::COLUMNS,
        entry = check_ins::COLUMNS,
        ticket = tickets::COLUMNS,
        show = performances::COLUMNS,
    )))
    .bind(column(requests, |it| it.scan))
    .bind(column(requests, |it| it.ticket()))
    .bind(column(requests, |it| it.gate))
    .bind(column(requests, |it| it.node))
    .fetch_all(conn)
    .await?;
    if rows.len() != requests.len() {
        return Err(DbError::impossible_row("a scan with two rows"));
    }
    rows.iter().map(snapshot).collect()
}

fn snapshot(row: &PgRow) -> DbResult<Snapshot> {
    let head = SnapshotRow::from_row(row)?;
    let conflict = head
        .conflict
        .map(|Json(row)| PublishedConflict::try_from(row));
    let gate = joined::<GateRow>(row, "gate_venue_id")?;
    let scan = joined::<ScanRow>(row, "scan_id")?;
    let ticket = joined::<TicketRow>(row, "ticket_id")?;
    Ok(Snapshot {
        now: CoreTime::from(head.now),
        epoch: epoch::read(row)?,
        keys: head.keys.map(unsigned).transpose()?,
        node: joined::<NodeRow>(row, "node_venue_id")?.map(Node::from),
        gate: gate.map(Gate::try_from).transpose()?,
        scan: scan.map(StoredScan::try_from).transpose()?,
        ticket: ticket.map(Ticket::try_from).transpose()?,
        performance: joined::<ShowRow>(row, "show_performance_id")?.map(Performance::from),
        conflicts: conflict
            .transpose()?
            .map(|conflict| conflict.conflict)
            .into_iter()
            .collect(),
    })
}

/// Writes the core's own verdicts of scans, with the check-ins and the tickets of those that admit,
/// in one statement. Returns which scans were written: not one whose id is in use for another scan.
pub(crate) async fn upsert_decided(
    conn: &mut PgConnection,
    scans: &[&StoredScan],
    check_ins: &[(CheckInId, &Ticket)],
) -> DbResult<BTreeSet<ScanId>> {
    let entries = check_ins
        .iter()
        .map(|(_, ticket)| match &ticket.check_in {
            Some(entry) => EntryRow::try_from(entry),
            None => Err(DbError::impossible_row("an admission without a check-in")),
        })
        .collect::<DbResult<Vec<_>>>()?;
    let tickets = column(check_ins, |(_, ticket)| *ticket);
    let written: Vec<ScanId> = sqlx::query_scalar(UPSERT_DECIDED)
        .bind(column(scans, |it| it.id))
        .bind(column(scans, |it| it.record.scanner))
        .bind(column(scans, |it| it.record.gate))
        .bind(column(scans, |it| &it.record.token.0[..]))
        .bind(column(scans, |it| it.ticket))
        .bind(column(scans, |it| it.node))
        .bind(column(scans, |it| it.device.as_deref()))
        .bind(column(scans, |it| it.record.own.as_ref().map(Json)))
        .bind(column(scans, |it| it.own_at))
        .bind(column(check_ins, |(id, _)| *id))
        .bind(column(&tickets, |it| it.id))
        .bind(column(&tickets, |it| it.passage))
        .bind(column(&entries, |it| it.scan_id))
        .bind(column(&entries, |it| it.gate_id))
        .bind(column(&entries, |it| it.node_id))
        .bind(column(&entries, |it| it.earliest))
        .bind(column(&entries, |it| it.latest))
        .bind(column(&entries, |it| it.evidence.as_str()))
        .bind(column(&tickets, |it| it.status().name()))
        .bind(column(&tickets, |it| it.version))
        .bind(column(&tickets, |it| it.updated_at))
        .fetch_all(conn)
        .await?;
    Ok(written.into_iter().collect())
}

/// Scans are $1 to $9, check-ins and their tickets the rest.
const UPSERT_DECIDED: &str = "
    with written as (
        insert into ticketing.scans as stored (scan_id, scanner_id, gate_id, token_hash, ticket_id,
            node_id, device_id, own_verdict, own_at, decided_by, created_at)
        select scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id, device_id, own_verdict,
            own_at, 'core', own_at
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::uuid[], $6::uuid[],
            $7::text[], $8::jsonb[], $9::timestamptz[])
            as new (scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id, device_id,
            own_verdict, own_at)
        order by scan_id
        on conflict (scan_id) do update set own_verdict = excluded.own_verdict,
            own_at = excluded.own_at, ticket_id = coalesce(stored.ticket_id, excluded.ticket_id)
        where (stored.scanner_id, stored.gate_id, stored.token_hash)
            = (excluded.scanner_id, excluded.gate_id, excluded.token_hash)
        returning scan_id),
    entered as (
        insert into ticketing.checkins (checkin_id, ticket_id, passage, scan_id, gate_id, node_id,
            earliest, latest, evidence)
        select * from unnest($10::uuid[], $11::uuid[], $12::int[], $13::uuid[], $14::uuid[],
            $15::uuid[], $16::bigint[], $17::bigint[], $18::text[])
        on conflict (ticket_id, passage) do update set scan_id = excluded.scan_id,
            gate_id = excluded.gate_id, node_id = excluded.node_id, earliest = excluded.earliest,
            latest = excluded.latest, evidence = excluded.evidence, journal_incarnation = null,
            journal_seq = null, order_unknown = excluded.order_unknown, overridden = false),
    changed as (
        update ticketing.tickets as stored
        set status = new.status, version = new.version, updated_at = new.updated_at,
            passage = new.passage
        from unnest((select $11::uuid[]), $19::text[], $20::int[], $21::timestamptz[],
            (select $12::int[])) as new (ticket_id, status, version, updated_at, passage)
        where stored.ticket_id = new.ticket_id)
    select scan_id from written";
