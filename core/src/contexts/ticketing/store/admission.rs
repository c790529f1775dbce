//! What a group of scans reads and writes, in as few round trips as it can.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CheckInId, GateId, NodeId, PerformanceId, ScanId, TicketId, VenueId};
use eventify_protocol::sync::GateEntry;
use eventify_protocol::time::CoreTime;
use eventify_sync::core::{CheckIn, Conflict};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::entries::{entry, evidence, kind};
use super::scans::scan;
use super::tickets::ticket;
use super::unsigned;
use crate::contexts::ticketing::model::{Gate, Node, Scan, Sight, Ticket};
use eventify_kernel::db::{DbError, DbResult, PgConnection, epoch};

/// What is asked of the tables for a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) scan: ScanId,
    pub(crate) ticket: Option<TicketId>,
    pub(crate) gate: GateId,
    pub(crate) node: Option<NodeId>,
}

/// Tickets that a transaction has locked.
#[derive(Debug)]
pub(crate) struct Locked(pub(crate) BTreeSet<TicketId>);

/// Locks tickets, in the order of their ids. What was read before is worth nothing. Without
/// patience those that somebody has locked are left out.
pub(crate) async fn lock_for_scans(
    conn: &mut PgConnection,
    tickets: &[TicketId],
    patient: bool,
) -> DbResult<Locked> {
    let lock = if patient {
        "select ticket_id from tickets where ticket_id = any($1) order by ticket_id for update"
    } else {
        "select ticket_id from tickets where ticket_id = any($1) order by ticket_id
         for update skip locked"
    };
    let ids: Vec<_> = tickets.iter().map(|id| id.as_uuid()).collect();
    let locked: Vec<Uuid> = sqlx::query_scalar(lock).bind(ids).fetch_all(conn).await?;
    Ok(Locked(locked.into_iter().map(TicketId).collect()))
}

/// Reads all that decisions need, and the clock after the locks; in the order of the questions.
///
/// `lateral` and `limit` make it a look into each index for each question. A join would be planned
/// once, while the tables are small, and then read them whole as they grow. `(select $1)` hides from
/// the planner how many questions there are: it would plan anew for each number, which takes longer
/// than the answer.
pub(crate) async fn look(conn: &mut PgConnection, questions: &[Question]) -> DbResult<Vec<Sight>> {
    let column = |of: fn(&Question) -> Uuid| questions.iter().map(of).collect::<Vec<_>>();
    let tickets: Vec<_> = questions
        .iter()
        .map(|question| question.ticket.map(TicketId::as_uuid))
        .collect();
    let nodes: Vec<_> = questions
        .iter()
        .map(|question| question.node.map(NodeId::as_uuid))
        .collect();
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select clock_timestamp() as now, {epoch}, (select max(version) from key_sets) as keys,
             node.venue_id as n_venue_id, node.gates as n_gates, node.revoked as n_revoked,
             gate.venue_id as g_venue_id, gate.name as g_name,
             gate.performances as g_performances, gate.categories as g_categories,
             scan.scan_id as s_scan_id, scan.scanner_id as s_scanner_id, scan.gate_id as s_gate_id,
             scan.token_hash as s_token_hash, scan.ticket_id as s_ticket_id,
             scan.node_id as s_node_id, scan.device_id as s_device_id,
             scan.own_verdict as s_own_verdict, scan.own_at as s_own_at,
             scan.shown_verdict as s_shown_verdict, scan.shown_incarnation as s_shown_incarnation,
             scan.shown_seq as s_shown_seq, scan.decided_by as s_decided_by,
             scan.sync_position as s_sync_position, scan.sync_truth as s_sync_truth,
             scan.created_at as s_created_at,
             other.scan_id as o_scan_id, other.gate_id as o_gate_id, other.node_id as o_node_id,
             other.earliest as o_earliest, other.latest as o_latest,
             other.evidence as o_evidence, other.journal_incarnation as o_journal_incarnation,
             other.journal_seq as o_journal_seq, other.kind as o_kind,
             entry.scan_id, entry.gate_id, entry.node_id, entry.earliest, entry.latest,
             entry.evidence, entry.journal_incarnation, entry.journal_seq,
             coalesce(entry.order_unknown, false) as order_unknown, ticket.*
         from unnest((select $1::uuid[]), (select $2::uuid[]), (select $3::uuid[]),
                 (select $4::uuid[])) with ordinality as asked (scan_id, ticket_id, gate_id, node_id, place)
             left join lateral (select * from nodes
                 where node_id = asked.node_id limit 1) as node on true
             left join lateral (select * from gates
                 where gate_id = asked.gate_id limit 1) as gate on true
             left join lateral (select * from scans
                 where scan_id = asked.scan_id limit 1) as scan on true
             left join lateral (select * from tickets
                 where ticket_id = asked.ticket_id limit 1) as ticket on true
             left join lateral (select * from checkins
                 where ticket_id = ticket.ticket_id and passage = ticket.passage limit 1)
                 as entry on true
             left join lateral (select * from checkin_conflicts
                 where ticket_id = ticket.ticket_id and passage = ticket.passage
                     and scan_id = asked.scan_id limit 1) as other on true
         order by asked.place",
        epoch = epoch::COLUMNS,
    )))
    .bind(column(|question| question.scan.as_uuid()))
    .bind(tickets)
    .bind(column(|question| question.gate.as_uuid()))
    .bind(nodes)
    .fetch_all(conn)
    .await?;
    if rows.len() != questions.len() {
        return Err(DbError::impossible_row("a scan with two rows"));
    }
    rows.iter().map(sight).collect()
}

fn sight(row: &PgRow) -> DbResult<Sight> {
    let found = row.try_get::<Option<Uuid>, _>("ticket_id")?.is_some();
    let conflict = match entry(row, "o_")? {
        Some(entry) => Some(Conflict {
            entry,
            kind: kind(row.try_get("o_kind")?)?,
        }),
        None => None,
    };
    Ok(Sight {
        now: CoreTime::from(row.try_get::<DateTime<Utc>, _>("now")?),
        epoch: epoch::read(row)?,
        keys: row
            .try_get::<Option<i64>, _>("keys")?
            .map(unsigned)
            .transpose()?,
        node: node(row)?,
        gate: gate(row)?,
        scan: scan(row, "s_")?,
        ticket: if found { Some(ticket(row)?) } else { None },
        conflict,
    })
}

fn node(row: &PgRow) -> DbResult<Option<Node>> {
    let Some(venue) = row.try_get::<Option<Uuid>, _>("n_venue_id")? else {
        return Ok(None);
    };
    let gates: Vec<Uuid> = row.try_get("n_gates")?;
    Ok(Some(Node {
        venue: VenueId(venue),
        gates: gates.into_iter().map(GateId).collect(),
        revoked: row.try_get("n_revoked")?,
    }))
}

fn gate(row: &PgRow) -> DbResult<Option<Gate>> {
    let Some(venue) = row.try_get::<Option<Uuid>, _>("g_venue_id")? else {
        return Ok(None);
    };
    let performances: Vec<Uuid> = row.try_get("g_performances")?;
    let categories: Vec<String> = row.try_get("g_categories")?;
    let categories = categories
        .iter()
        .map(|code| code.parse())
        .collect::<Result<_, _>>();
    Ok(Some(Gate {
        venue: VenueId(venue),
        entry: GateEntry {
            name: row.try_get("g_name")?,
            performances: performances.into_iter().map(PerformanceId).collect(),
            categories: categories.map_err(DbError::impossible_row)?,
        },
    }))
}

/// Notes the core's own verdicts of scans, with the check-ins and the tickets of those that admit, in
/// one statement. Answers which scans were noted: not one whose id is in use for something else.
pub(crate) async fn note(
    conn: &mut PgConnection,
    scans: &[&Scan],
    admissions: &[(CheckInId, &Ticket)],
) -> DbResult<BTreeSet<ScanId>> {
    let entries = admissions
        .iter()
        .map(|(_, ticket)| ticket.check_in.as_ref())
        .collect::<Option<Vec<&CheckIn>>>()
        .ok_or_else(|| DbError::impossible_row("an admission without a check-in"))?;
    let evidences = entries
        .iter()
        .map(|entry| Ok(evidence(entry)?.0))
        .collect::<DbResult<Vec<_>>>()?;
    let ids = |of: fn(&Scan) -> Uuid| scans.iter().map(|it| of(it)).collect::<Vec<_>>();
    let perhaps = |of: fn(&Scan) -> Option<Uuid>| scans.iter().map(|it| of(it)).collect::<Vec<_>>();
    let keys = |of: fn(&CheckIn) -> Uuid| entries.iter().map(|it| of(it)).collect::<Vec<_>>();
    let times = |of: fn(&CheckIn) -> i64| entries.iter().map(|it| of(it)).collect::<Vec<_>>();
    let hashes: Vec<_> = scans.iter().map(|it| &it.record.token.0[..]).collect();
    let verdicts: Vec<_> = scans
        .iter()
        .map(|it| it.record.own.as_ref().map(Json))
        .collect();
    let nodes: Vec<_> = entries
        .iter()
        .map(|it| it.node.map(NodeId::as_uuid))
        .collect();
    let tickets = || admissions.iter().map(|(_, ticket)| *ticket);
    let noted: Vec<Uuid> = sqlx::query_scalar(NOTE)
        .bind(ids(|scan| scan.id.as_uuid()))
        .bind(ids(|scan| scan.record.scanner.as_uuid()))
        .bind(ids(|scan| scan.record.gate.as_uuid()))
        .bind(hashes)
        .bind(perhaps(|scan| scan.ticket.map(TicketId::as_uuid)))
        .bind(perhaps(|scan| scan.node.map(NodeId::as_uuid)))
        .bind(
            scans
                .iter()
                .map(|it| it.device.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(verdicts)
        .bind(scans.iter().map(|it| it.own_at).collect::<Vec<_>>())
        .bind(
            admissions
                .iter()
                .map(|(id, _)| id.as_uuid())
                .collect::<Vec<_>>(),
        )
        .bind(tickets().map(|it| it.id.as_uuid()).collect::<Vec<_>>())
        .bind(tickets().map(|it| it.passage).collect::<Vec<_>>())
        .bind(keys(|entry| entry.scan.as_uuid()))
        .bind(keys(|entry| entry.gate.as_uuid()))
        .bind(nodes)
        .bind(times(|entry| entry.at.earliest.0))
        .bind(times(|entry| entry.at.latest.0))
        .bind(evidences)
        .bind(tickets().map(|it| it.status().name()).collect::<Vec<_>>())
        .bind(tickets().map(|it| it.version).collect::<Vec<_>>())
        .bind(tickets().map(|it| it.updated_at).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    Ok(noted.into_iter().map(ScanId).collect())
}

/// Scans are $1 to $9, check-ins and their tickets the rest.
const NOTE: &str = "
    with noted as (
        insert into scans as held (scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id,
            device_id, own_verdict, own_at, decided_by, created_at)
        select scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id, device_id, own_verdict,
            own_at, 'core', own_at
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::uuid[], $6::uuid[],
            $7::text[], $8::jsonb[], $9::timestamptz[])
            as new (scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id, device_id,
            own_verdict, own_at)
        order by scan_id
        on conflict (scan_id) do update set own_verdict = excluded.own_verdict,
            own_at = excluded.own_at, ticket_id = coalesce(held.ticket_id, excluded.ticket_id)
        where (held.scanner_id, held.gate_id, held.token_hash)
            = (excluded.scanner_id, excluded.gate_id, excluded.token_hash)
        returning scan_id),
    entered as (
        insert into checkins (checkin_id, ticket_id, passage, scan_id, gate_id, node_id, earliest,
            latest, evidence)
        select * from unnest($10::uuid[], $11::uuid[], $12::int[], $13::uuid[], $14::uuid[],
            $15::uuid[], $16::bigint[], $17::bigint[], $18::text[])
        on conflict (ticket_id, passage) do update set scan_id = excluded.scan_id,
            gate_id = excluded.gate_id, node_id = excluded.node_id, earliest = excluded.earliest,
            latest = excluded.latest, evidence = excluded.evidence, journal_incarnation = null,
            journal_seq = null, order_unknown = excluded.order_unknown),
    changed as (
        update tickets as held
        set status = new.status, version = new.version, updated_at = new.updated_at
        from unnest((select $11::uuid[]), $19::text[], $20::int[], $21::timestamptz[])
            as new (ticket_id, status, version, updated_at)
        where held.ticket_id = new.ticket_id)
    select scan_id from noted";
