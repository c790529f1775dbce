//! Scan ids: what the core answered, and what a journal reports as shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::db::retention::BATCH;
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{
    CheckInId, GateId, IncarnationId, NodeId, PersonId, ScanId, ScannerId, TicketId,
};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::{DecidedBy, Verdict};
use eventify_sync::core::{JournalRef, ScanRecord, Shown};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};

use super::{column, hash, signed, unsigned};
use crate::contexts::ticketing::model::StoredScan;

/// The columns of a [`ScanRow`]; those that tickets have too under names of their own.
pub(super) const COLUMNS: &str = "scan.scan_id, scan.scanner_id, scan.gate_id, \
    scan.token_hash as scan_token_hash, scan.ticket_id as scan_ticket_id, scan.node_id, \
    scan.device_id, scan.person_id, scan.own_verdict, scan.own_at, scan.shown_verdict, \
    scan.shown_incarnation, scan.shown_seq, scan.ended_at, scan.decided_by, scan.sync_position, \
    scan.sync_truth, \
    scan.created_at as scan_created_at";

#[derive(FromRow)]
pub(super) struct ScanRow {
    scan_id: ScanId,
    scanner_id: ScannerId,
    gate_id: GateId,
    scan_token_hash: Vec<u8>,
    scan_ticket_id: Option<TicketId>,
    node_id: Option<NodeId>,
    device_id: Option<String>,
    person_id: Option<PersonId>,
    own_verdict: Option<Json<Verdict>>,
    own_at: Option<DateTime<Utc>>,
    shown_verdict: Option<Json<Verdict>>,
    shown_incarnation: Option<IncarnationId>,
    shown_seq: Option<i64>,
    ended_at: Option<i64>,
    decided_by: String,
    sync_position: Option<i64>,
    sync_truth: Option<i64>,
    scan_created_at: DateTime<Utc>,
}

impl TryFrom<ScanRow> for StoredScan {
    type Error = DbError;

    fn try_from(row: ScanRow) -> DbResult<Self> {
        let journal = (row.node_id, row.shown_incarnation, row.shown_seq);
        let shown = match (row.shown_verdict, journal) {
            (Some(Json(verdict)), (Some(node), Some(incarnation), Some(seq))) => Some(Shown {
                verdict,
                source: JournalRef {
                    node,
                    incarnation,
                    seq: unsigned(seq)?,
                },
            }),
            (None, (_, None, None)) => None,
            _ => return Err(DbError::impossible_row("a scan that was shown nowhere")),
        };
        Ok(Self {
            id: row.scan_id,
            record: ScanRecord {
                scanner: row.scanner_id,
                gate: row.gate_id,
                token: hash(&row.scan_token_hash)?,
                own: row.own_verdict.map(|Json(verdict)| verdict),
                shown,
                ended: row.ended_at.map(CoreTime),
            },
            own_at: row.own_at,
            ticket: row.scan_ticket_id,
            node: row.node_id,
            device: row.device_id,
            person: row.person_id,
            decided_by: match row.decided_by.as_str() {
                "core" => DecidedBy::Core,
                "edge" => DecidedBy::Edge,
                other => return Err(DbError::impossible_row(format!("decided by {other}"))),
            },
            point: row.sync_position.zip(row.sync_truth.map(CoreTime)),
            created_at: row.scan_created_at,
        })
    }
}

fn decided_by(scan: &StoredScan) -> &'static str {
    match scan.decided_by {
        DecidedBy::Core => "core",
        DecidedBy::Edge => "edge",
    }
}

pub(crate) async fn list_scans(
    conn: &mut PgConnection,
    ids: &[ScanId],
) -> DbResult<BTreeMap<ScanId, StoredScan>> {
    let rows: Vec<ScanRow> = sqlx::query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from ticketing.scans as scan where scan_id = any($1)"
    )))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.scan_id, row.try_into()?)))
        .collect()
}

pub(crate) async fn upsert_scans(conn: &mut PgConnection, scans: &[StoredScan]) -> DbResult<()> {
    let shown = column(scans, |it| it.record.shown.as_ref());
    let seqs = shown
        .iter()
        .map(|it| it.map(|it| signed(it.source.seq)).transpose());
    sqlx::query(
        "insert into ticketing.scans (scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id,
             device_id, own_verdict, own_at, shown_verdict, shown_incarnation, shown_seq,
             decided_by, sync_position, sync_truth, created_at, ended_at, person_id)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::uuid[],
             $6::uuid[], $7::text[], $8::jsonb[], $9::timestamptz[], $10::jsonb[], $11::uuid[],
             $12::bigint[], $13::text[], $14::bigint[], $15::bigint[], $16::timestamptz[],
             $17::bigint[], $18::uuid[])
         on conflict (scan_id) do update set ticket_id = excluded.ticket_id,
             node_id = excluded.node_id, own_verdict = excluded.own_verdict,
             own_at = excluded.own_at, shown_verdict = excluded.shown_verdict,
             shown_incarnation = excluded.shown_incarnation, shown_seq = excluded.shown_seq,
             decided_by = excluded.decided_by, sync_position = excluded.sync_position,
             sync_truth = excluded.sync_truth, ended_at = excluded.ended_at,
             person_id = excluded.person_id",
    )
    .bind(column(scans, |it| it.id))
    .bind(column(scans, |it| it.record.scanner))
    .bind(column(scans, |it| it.record.gate))
    .bind(column(scans, |it| &it.record.token.0[..]))
    .bind(column(scans, |it| it.ticket))
    .bind(column(scans, |it| it.node))
    .bind(column(scans, |it| it.device.as_deref()))
    .bind(column(scans, |it| it.record.own.as_ref().map(Json)))
    .bind(column(scans, |it| it.own_at))
    .bind(column(&shown, |it| it.map(|it| Json(&it.verdict))))
    .bind(column(&shown, |it| it.map(|it| it.source.incarnation)))
    .bind(seqs.collect::<DbResult<Vec<_>>>()?)
    .bind(column(scans, decided_by))
    .bind(column(scans, |it| it.point.map(|(position, _)| position)))
    .bind(column(scans, |it| it.point.map(|(_, truth)| truth.0)))
    .bind(column(scans, |it| it.created_at))
    .bind(column(scans, |it| it.record.ended.map(|at| at.0)))
    .bind(column(scans, |it| it.person))
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks entries as published, and answers which were not, each with its check-in.
pub(crate) async fn mark_told(
    conn: &mut PgConnection,
    scans: &[ScanId],
) -> DbResult<BTreeMap<ScanId, CheckInId>> {
    if scans.is_empty() {
        return Ok(BTreeMap::new());
    }
    let new: Vec<(ScanId, CheckInId)> = sqlx::query_as(
        "with marked as (
             update ticketing.scans set told = true where scan_id = any($1) and not told
             returning scan_id, ticket_id)
         select marked.scan_id, checkin_id from marked
             join ticketing.checkins on checkins.ticket_id = marked.ticket_id
                 and checkins.scan_id = marked.scan_id",
    )
    .bind(scans)
    .fetch_all(conn)
    .await?;
    Ok(new.into_iter().collect())
}

/// Looks at a batch of the scans before a moment, and deletes those that nobody entered by. True if there may be
/// more. Those that stay are not looked at again.
pub(crate) async fn delete_scans(conn: &mut PgConnection, before: DateTime<Utc>) -> DbResult<bool> {
    let seen: i64 = sqlx::query_scalar(
        "with batch as (
             select scan_id, ticket_id, created_at from ticketing.scans
             where (created_at, scan_id) > ((select through from ticketing.swept_scans),
                     (select scan_id from ticketing.swept_scans))
                 and created_at < $1
             order by created_at, scan_id limit $2),
         gone as (
             delete from ticketing.scans using batch
             where scans.scan_id = batch.scan_id
                 and not exists (select from ticketing.checkins
                     where ticket_id = batch.ticket_id and scan_id = batch.scan_id)
                 and not exists (select from ticketing.checkin_conflicts
                     where ticket_id = batch.ticket_id and scan_id = batch.scan_id)
                 and not exists (select from ticketing.tickets
                     where ticket_id = batch.ticket_id and refunded_scan_id = batch.scan_id)
             returning scans.scan_id),
         swept as (
             update ticketing.swept_scans set through = last.created_at, scan_id = last.scan_id
             from (select created_at, scan_id from batch
                   order by created_at desc, scan_id desc limit 1) as last)
         select count(*) from batch",
    )
    .bind(before)
    .bind(BATCH)
    .fetch_one(conn)
    .await?;
    Ok(seen == BATCH)
}
