//! Scan ids and what was said of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, IncarnationId, NodeId, ScanId, ScannerId, TicketId};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::{DecidedBy, Verdict};
use eventify_sync::core::{JournalRef, ScanRecord, Shown};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::{hash, unsigned};
use crate::contexts::ticketing::model::Scan;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const COLUMNS: &str = "scan_id, scanner_id, gate_id, token_hash, ticket_id, node_id, device_id, \
    own_verdict, own_at, shown_verdict, shown_incarnation, shown_seq, decided_by, sync_position, \
    sync_truth, created_at";

/// Reads a scan from columns whose names begin so.
pub(super) fn scan(row: &PgRow, prefix: &str) -> DbResult<Option<Scan>> {
    let name = |column: &str| format!("{prefix}{column}");
    let Some(id) = row.try_get::<Option<Uuid>, _>(name("scan_id").as_str())? else {
        return Ok(None);
    };
    let node = row
        .try_get::<Option<Uuid>, _>(name("node_id").as_str())?
        .map(NodeId);
    let own: Option<Json<Verdict>> = row.try_get(name("own_verdict").as_str())?;
    let own_at: Option<DateTime<Utc>> = row.try_get(name("own_at").as_str())?;
    let shown: Option<Json<Verdict>> = row.try_get(name("shown_verdict").as_str())?;
    let incarnation: Option<Uuid> = row.try_get(name("shown_incarnation").as_str())?;
    let seq: Option<i64> = row.try_get(name("shown_seq").as_str())?;
    let shown = match (shown, node, incarnation, seq) {
        (Some(Json(verdict)), Some(node), Some(incarnation), Some(seq)) => Some(Shown {
            verdict,
            source: JournalRef {
                node,
                incarnation: IncarnationId(incarnation),
                seq: unsigned(seq)?,
            },
        }),
        (None, _, None, None) => None,
        _ => return Err(DbError::impossible_row(format!("scan {id} shown nowhere"))),
    };
    let decided_by: String = row.try_get(name("decided_by").as_str())?;
    let position: Option<i64> = row.try_get(name("sync_position").as_str())?;
    let truth: Option<i64> = row.try_get(name("sync_truth").as_str())?;
    Ok(Some(Scan {
        id: ScanId(id),
        record: ScanRecord {
            scanner: ScannerId(row.try_get(name("scanner_id").as_str())?),
            gate: GateId(row.try_get(name("gate_id").as_str())?),
            token: hash(&row.try_get::<Vec<u8>, _>(name("token_hash").as_str())?)?,
            own: own.map(|Json(verdict)| verdict),
            shown,
        },
        own_at,
        ticket: row
            .try_get::<Option<Uuid>, _>(name("ticket_id").as_str())?
            .map(TicketId),
        node,
        device: row.try_get(name("device_id").as_str())?,
        decided_by: match decided_by.as_str() {
            "core" => DecidedBy::Core,
            "edge" => DecidedBy::Edge,
            other => return Err(DbError::impossible_row(format!("decided by {other}"))),
        },
        point: position
            .zip(truth)
            .map(|(position, truth)| (position, CoreTime(truth))),
        created_at: row.try_get(name("created_at").as_str())?,
    }))
}

/// Writes what is known of scans.
pub(crate) async fn save_scans(conn: &mut PgConnection, scans: &[Scan]) -> DbResult<()> {
    let ids = |of: fn(&Scan) -> Uuid| scans.iter().map(of).collect::<Vec<_>>();
    let perhaps = |of: fn(&Scan) -> Option<Uuid>| scans.iter().map(of).collect::<Vec<_>>();
    let verdicts = |of: for<'a> fn(&'a Scan) -> Option<&'a Verdict>| {
        scans
            .iter()
            .map(|scan| of(scan).map(Json))
            .collect::<Vec<_>>()
    };
    let hashes: Vec<_> = scans.iter().map(|scan| &scan.record.token.0[..]).collect();
    let devices: Vec<_> = scans.iter().map(|scan| scan.device.as_deref()).collect();
    let deciders: Vec<_> = scans.iter().map(|scan| decider(scan.decided_by)).collect();
    let seqs = scans
        .iter()
        .map(|scan| scan.record.shown.as_ref().map(|shown| shown.source.seq))
        .map(|seq| seq.map(i64::try_from).transpose())
        .collect::<Result<Vec<_>, _>>()
        .map_err(DbError::impossible_row)?;
    let points = |of: fn(&(i64, CoreTime)) -> i64| {
        let points = scans.iter().map(|scan| scan.point.as_ref().map(of));
        points.collect::<Vec<_>>()
    };
    sqlx::query(AssertSqlSafe(format!(
        "insert into scans ({COLUMNS})
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::uuid[],
             $6::uuid[], $7::text[], $8::jsonb[], $9::timestamptz[], $10::jsonb[], $11::uuid[],
             $12::bigint[], $13::text[], $14::bigint[], $15::bigint[], $16::timestamptz[])
         on conflict (scan_id) do update set ticket_id = excluded.ticket_id,
             node_id = excluded.node_id, own_verdict = excluded.own_verdict,
             own_at = excluded.own_at, shown_verdict = excluded.shown_verdict,
             shown_incarnation = excluded.shown_incarnation, shown_seq = excluded.shown_seq,
             decided_by = excluded.decided_by, sync_position = excluded.sync_position,
             sync_truth = excluded.sync_truth"
    )))
    .bind(ids(|scan| scan.id.as_uuid()))
    .bind(ids(|scan| scan.record.scanner.as_uuid()))
    .bind(ids(|scan| scan.record.gate.as_uuid()))
    .bind(hashes)
    .bind(perhaps(|scan| scan.ticket.map(TicketId::as_uuid)))
    .bind(perhaps(|scan| scan.node.map(NodeId::as_uuid)))
    .bind(devices)
    .bind(verdicts(|scan| scan.record.own.as_ref()))
    .bind(scans.iter().map(|scan| scan.own_at).collect::<Vec<_>>())
    .bind(verdicts(|scan| Some(&scan.record.shown.as_ref()?.verdict)))
    .bind(perhaps(|scan| {
        Some(scan.record.shown.as_ref()?.source.incarnation.as_uuid())
    }))
    .bind(seqs)
    .bind(deciders)
    .bind(points(|(position, _)| *position))
    .bind(points(|(_, truth)| truth.0))
    .bind(scans.iter().map(|scan| scan.created_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

fn decider(by: DecidedBy) -> &'static str {
    match by {
        DecidedBy::Core => "core",
        DecidedBy::Edge => "edge",
    }
}

pub(crate) async fn scans(
    conn: &mut PgConnection,
    ids: &[ScanId],
) -> DbResult<BTreeMap<ScanId, Scan>> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select {COLUMNS} from scans where scan_id = any($1)"
    )))
    .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let mut found = BTreeMap::new();
    for row in &rows {
        if let Some(scan) = scan(row, "")? {
            found.insert(scan.id, scan);
        }
    }
    Ok(found)
}
