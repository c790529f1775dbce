//! Check-ins and conflicts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CheckInId, GateId, IncarnationId, NodeId, ScanId, TicketId};
use eventify_protocol::time::{CoreInterval, CoreTime};
use eventify_sync::core::{CheckIn, Conflict, ConflictKind, Evidence, JournalRef};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::unsigned;
use crate::contexts::ticketing::model::{KnownConflict, Ticket};
use eventify_contracts::ticketing::Admission;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// The entry of a row, if the row has one: the columns that check-ins and conflicts have in common,
/// under names that begin so.
pub(super) fn entry(row: &PgRow, prefix: &str) -> DbResult<Option<CheckIn>> {
    let name = |column: &str| format!("{prefix}{column}");
    let Some(scan) = row.try_get::<Option<Uuid>, _>(name("scan_id").as_str())? else {
        return Ok(None);
    };
    let node = row
        .try_get::<Option<Uuid>, _>(name("node_id").as_str())?
        .map(NodeId);
    let evidence: String = row.try_get(name("evidence").as_str())?;
    let incarnation: Option<Uuid> = row.try_get(name("journal_incarnation").as_str())?;
    let seq: Option<i64> = row.try_get(name("journal_seq").as_str())?;
    let evidence = match (evidence.as_str(), node, incarnation, seq) {
        ("unconfirmed", _, None, None) => Evidence::Unconfirmed,
        ("api", _, None, None) => Evidence::Api,
        ("journal", Some(node), Some(incarnation), Some(seq)) => Evidence::Journal(JournalRef {
            node,
            incarnation: IncarnationId(incarnation),
            seq: unsigned(seq)?,
        }),
        _ => return Err(DbError::impossible_row("an entry of no known evidence")),
    };
    Ok(Some(CheckIn {
        scan: ScanId(scan),
        gate: GateId(row.try_get(name("gate_id").as_str())?),
        node,
        at: CoreInterval {
            earliest: CoreTime(row.try_get(name("earliest").as_str())?),
            latest: CoreTime(row.try_get(name("latest").as_str())?),
        },
        evidence,
    }))
}

/// Evidence as its three columns.
pub(super) fn evidence(entry: &CheckIn) -> DbResult<(&'static str, Option<Uuid>, Option<i64>)> {
    Ok(match entry.evidence {
        Evidence::Unconfirmed => ("unconfirmed", None, None),
        Evidence::Api => ("api", None, None),
        Evidence::Journal(source) => (
            "journal",
            Some(source.incarnation.as_uuid()),
            Some(i64::try_from(source.seq).map_err(DbError::impossible_row)?),
        ),
    })
}

pub(super) fn kind(name: &str) -> DbResult<ConflictKind> {
    match name {
        "double_entry" => Ok(ConflictKind::DoubleEntry),
        "order_unknown" => Ok(ConflictKind::OrderUnknown),
        other => Err(DbError::impossible_row(format!(
            "a conflict of kind {other}"
        ))),
    }
}

/// Writes the check-ins of tickets that this transaction has locked: there, moved, or gone.
pub(crate) async fn save_check_ins(
    conn: &mut PgConnection,
    tickets: &[Ticket],
    mut id: impl FnMut() -> CheckInId,
) -> DbResult<()> {
    let free: Vec<_> = tickets.iter().filter(|it| it.check_in.is_none()).collect();
    if !free.is_empty() {
        sqlx::query(
            "delete from checkins
             using unnest($1::uuid[], $2::int[]) as free (ticket_id, passage)
             where checkins.ticket_id = free.ticket_id and checkins.passage = free.passage",
        )
        .bind(free.iter().map(|it| it.id.as_uuid()).collect::<Vec<_>>())
        .bind(free.iter().map(|it| it.passage).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    }
    let used: Vec<(CheckInId, &Ticket, &CheckIn)> = tickets
        .iter()
        .filter_map(|ticket| Some((ticket, ticket.check_in.as_ref()?)))
        .map(|(ticket, check_in)| (id(), ticket, check_in))
        .collect();
    if used.is_empty() {
        return Ok(());
    }
    put_check_ins(conn, &used).await
}

/// Puts check-ins in the place of those that the tickets had.
async fn put_check_ins(
    conn: &mut PgConnection,
    used: &[(CheckInId, &Ticket, &CheckIn)],
) -> DbResult<()> {
    let mut evidences = (Vec::new(), Vec::new(), Vec::new());
    for (_, _, entry) in used {
        let (evidence, incarnation, seq) = evidence(entry)?;
        evidences.0.push(evidence);
        evidences.1.push(incarnation);
        evidences.2.push(seq);
    }
    let tickets = used.iter().map(|(_, ticket, _)| *ticket);
    let key = |of: fn(&CheckIn) -> Uuid| used.iter().map(|it| of(it.2)).collect::<Vec<_>>();
    let time = |of: fn(&CheckIn) -> i64| used.iter().map(|it| of(it.2)).collect::<Vec<_>>();
    let nodes: Vec<_> = used
        .iter()
        .map(|(_, _, entry)| entry.node.map(NodeId::as_uuid))
        .collect();
    sqlx::query(
        "insert into checkins (checkin_id, ticket_id, passage, scan_id, gate_id, node_id, earliest,
             latest, evidence, journal_incarnation, journal_seq, order_unknown)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::uuid[],
             $7::bigint[], $8::bigint[], $9::text[], $10::uuid[], $11::bigint[], $12::bool[])
         on conflict (ticket_id, passage) do update set scan_id = excluded.scan_id,
             gate_id = excluded.gate_id, node_id = excluded.node_id, earliest = excluded.earliest,
             latest = excluded.latest, evidence = excluded.evidence,
             journal_incarnation = excluded.journal_incarnation,
             journal_seq = excluded.journal_seq, order_unknown = excluded.order_unknown",
    )
    .bind(
        used.iter()
            .map(|(id, _, _)| id.as_uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        tickets
            .clone()
            .map(|it| it.id.as_uuid())
            .collect::<Vec<_>>(),
    )
    .bind(tickets.clone().map(|it| it.passage).collect::<Vec<_>>())
    .bind(key(|entry| entry.scan.as_uuid()))
    .bind(key(|entry| entry.gate.as_uuid()))
    .bind(nodes)
    .bind(time(|entry| entry.at.earliest.0))
    .bind(time(|entry| entry.at.latest.0))
    .bind(evidences.0)
    .bind(evidences.1)
    .bind(evidences.2)
    .bind(tickets.map(|it| it.order_unknown).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// The conflicts of the present passages of tickets, oldest first.
pub(crate) async fn conflicts(
    conn: &mut PgConnection,
    tickets: &[TicketId],
) -> DbResult<BTreeMap<TicketId, Vec<KnownConflict>>> {
    let rows = sqlx::query(
        "select other.* from checkin_conflicts as other join tickets using (ticket_id, passage)
         where ticket_id = any($1) order by other.created_at, other.conflict_id",
    )
    .bind(tickets.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        let entry =
            entry(&row, "")?.ok_or_else(|| DbError::impossible_row("a conflict without a scan"))?;
        let known = KnownConflict {
            id: row.try_get("conflict_id")?,
            ticket: row.try_get::<Uuid, _>("ticket_id")?.into(),
            passage: row.try_get("passage")?,
            conflict: Conflict {
                entry,
                kind: kind(row.try_get("kind")?)?,
            },
            first: row.try_get::<Json<Admission>, _>("first")?.0,
            second: row.try_get::<Json<Admission>, _>("second")?.0,
            version: row.try_get("version")?,
        };
        found.entry(known.ticket).or_default().push(known);
    }
    Ok(found)
}

/// Writes a conflict of a ticket that this transaction has locked.
pub(crate) async fn save_conflict(
    conn: &mut PgConnection,
    known: &KnownConflict,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let entry = &known.conflict.entry;
    let (evidence, incarnation, seq) = evidence(entry)?;
    sqlx::query(
        "insert into checkin_conflicts (conflict_id, ticket_id, passage, scan_id, gate_id, node_id,
             earliest, latest, evidence, journal_incarnation, journal_seq, kind, first, second,
             version, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (conflict_id) do update set evidence = excluded.evidence,
             journal_incarnation = excluded.journal_incarnation,
             journal_seq = excluded.journal_seq, kind = excluded.kind, first = excluded.first,
             second = excluded.second, version = excluded.version",
    )
    .bind(known.id)
    .bind(known.ticket.as_uuid())
    .bind(known.passage)
    .bind(entry.scan.as_uuid())
    .bind(entry.gate.as_uuid())
    .bind(entry.node.map(NodeId::as_uuid))
    .bind(entry.at.earliest.0)
    .bind(entry.at.latest.0)
    .bind(evidence)
    .bind(incarnation)
    .bind(seq)
    .bind(match known.conflict.kind {
        ConflictKind::DoubleEntry => "double_entry",
        ConflictKind::OrderUnknown => "order_unknown",
    })
    .bind(Json(&known.first))
    .bind(Json(&known.second))
    .bind(known.version)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// These are no conflicts any more.
pub(crate) async fn drop_conflicts(conn: &mut PgConnection, ids: &[Uuid]) -> DbResult<()> {
    sqlx::query("delete from checkin_conflicts where conflict_id = any($1)")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}
