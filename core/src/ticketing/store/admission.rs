//! What an online scan reads and writes, in as few round trips as it can.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CheckInId, GateId, NodeId, PerformanceId, ScanId, TicketId, VenueId};
use eventify_protocol::sync::GateEntry;
use eventify_protocol::time::CoreTime;
use eventify_sync::core::Conflict;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::entries::{entry, evidence, kind};
use super::scans::scan;
use super::tickets::ticket;
use super::unsigned;
use crate::db::{DbError, DbResult, PgConnection, epoch};
use crate::ticketing::model::{Gate, Node, Scan, Sight, Ticket};

/// Locks a ticket. What was read before is worth nothing.
pub(in crate::ticketing) async fn lock_ticket(
    conn: &mut PgConnection,
    id: TicketId,
) -> DbResult<()> {
    sqlx::query("select from tickets where ticket_id = $1 for update")
        .bind(id.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Reads all that a decision needs, and the clock after the lock.
pub(in crate::ticketing) async fn look(
    conn: &mut PgConnection,
    scan_id: ScanId,
    ticket_id: Option<TicketId>,
    gate_id: GateId,
    node_id: Option<NodeId>,
) -> DbResult<Sight> {
    let row = sqlx::query(AssertSqlSafe(format!(
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
         from (select 1) as one
             left join nodes as node on node.node_id = $4
             left join gates as gate on gate.gate_id = $3
             left join scans as scan on scan.scan_id = $1
             left join tickets as ticket on ticket.ticket_id = $2
             left join checkins as entry
                 on entry.ticket_id = ticket.ticket_id and entry.passage = ticket.passage
             left join checkin_conflicts as other on other.ticket_id = ticket.ticket_id
                 and other.passage = ticket.passage and other.scan_id = $1",
        epoch = epoch::COLUMNS,
    )))
    .bind(scan_id.as_uuid())
    .bind(ticket_id.map(TicketId::as_uuid))
    .bind(gate_id.as_uuid())
    .bind(node_id.map(NodeId::as_uuid))
    .fetch_one(conn)
    .await?;
    let found = row.try_get::<Option<Uuid>, _>("ticket_id")?.is_some();
    let conflict = match entry(&row, "o_")? {
        Some(entry) => Some(Conflict {
            entry,
            kind: kind(row.try_get("o_kind")?)?,
        }),
        None => None,
    };
    Ok(Sight {
        now: CoreTime::from(row.try_get::<DateTime<Utc>, _>("now")?),
        epoch: epoch::read(&row)?,
        keys: row
            .try_get::<Option<i64>, _>("keys")?
            .map(unsigned)
            .transpose()?,
        node: node(&row)?,
        gate: gate(&row)?,
        scan: scan(&row, "s_")?,
        ticket: if found { Some(ticket(&row)?) } else { None },
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

/// Notes the core's own verdict of a scan; false if the id is in use for something else.
pub(in crate::ticketing) async fn note_verdict(
    conn: &mut PgConnection,
    scan: &Scan,
) -> DbResult<bool> {
    let noted = sqlx::query(
        "insert into scans as held (scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id,
             device_id, own_verdict, own_at, decided_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'core', $9)
         on conflict (scan_id) do update set own_verdict = excluded.own_verdict,
             own_at = excluded.own_at, ticket_id = coalesce(held.ticket_id, excluded.ticket_id)
         where (held.scanner_id, held.gate_id, held.token_hash)
             = (excluded.scanner_id, excluded.gate_id, excluded.token_hash)",
    )
    .bind(scan.id.as_uuid())
    .bind(scan.record.scanner.as_uuid())
    .bind(scan.record.gate.as_uuid())
    .bind(scan.record.token.0.as_slice())
    .bind(scan.ticket.map(TicketId::as_uuid))
    .bind(scan.node.map(NodeId::as_uuid))
    .bind(&scan.device)
    .bind(scan.record.own.as_ref().map(Json))
    .bind(scan.own_at)
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// The same for an admission, with its check-in and the ticket, in one statement.
pub(in crate::ticketing) async fn note_admission(
    conn: &mut PgConnection,
    scan: &Scan,
    id: CheckInId,
    ticket: &Ticket,
) -> DbResult<bool> {
    let Some(check_in) = &ticket.check_in else {
        return Err(DbError::impossible_row("an admission without a check-in"));
    };
    let (evidence, _, _) = evidence(check_in)?;
    let noted = sqlx::query_scalar::<_, i64>(
        "with noted as (
             insert into scans as held (scan_id, scanner_id, gate_id, token_hash, ticket_id,
                 node_id, device_id, own_verdict, own_at, decided_by, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'core', $9)
             on conflict (scan_id) do update set own_verdict = excluded.own_verdict,
                 own_at = excluded.own_at, ticket_id = coalesce(held.ticket_id, excluded.ticket_id)
             where (held.scanner_id, held.gate_id, held.token_hash)
                 = (excluded.scanner_id, excluded.gate_id, excluded.token_hash)
             returning 1),
         entered as (
             insert into checkins (checkin_id, ticket_id, passage, scan_id, gate_id, node_id,
                 earliest, latest, evidence)
             values ($10, $5, $11, $1, $3, $6, $12, $13, $14)
             on conflict (ticket_id, passage) do update set scan_id = excluded.scan_id,
                 gate_id = excluded.gate_id, node_id = excluded.node_id,
                 earliest = excluded.earliest, latest = excluded.latest,
                 evidence = excluded.evidence, journal_incarnation = null, journal_seq = null,
                 order_unknown = excluded.order_unknown),
         changed as (
             update tickets set status = $15, version = $16, updated_at = $9
             where ticket_id = $5)
         select count(*) from noted",
    )
    .bind(scan.id.as_uuid())
    .bind(scan.record.scanner.as_uuid())
    .bind(scan.record.gate.as_uuid())
    .bind(scan.record.token.0.as_slice())
    .bind(ticket.id.as_uuid())
    .bind(scan.node.map(NodeId::as_uuid))
    .bind(&scan.device)
    .bind(scan.record.own.as_ref().map(Json))
    .bind(scan.own_at)
    .bind(id.as_uuid())
    .bind(ticket.passage)
    .bind(check_in.at.earliest.0)
    .bind(check_in.at.latest.0)
    .bind(evidence)
    .bind(ticket.status().name())
    .bind(ticket.version)
    .fetch_one(conn)
    .await?;
    Ok(noted == 1)
}
