//! Scan ids and what was said of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, IncarnationId, NodeId, ScanId, ScannerId, TicketId};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::{DecidedBy, Verdict};
use eventify_sync::core::{Place, ScanRecord, Shown};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::{hash, unsigned};
use crate::db::{DbError, DbResult, PgConnection};
use crate::ticketing::model::Scan;

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
            place: Place {
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

/// Writes what is known of a scan.
pub(in crate::ticketing) async fn save_scan(conn: &mut PgConnection, scan: &Scan) -> DbResult<()> {
    let shown = scan.record.shown.as_ref();
    let seq = shown
        .map(|shown| i64::try_from(shown.place.seq))
        .transpose();
    sqlx::query(AssertSqlSafe(format!(
        "insert into scans ({COLUMNS})
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (scan_id) do update set ticket_id = excluded.ticket_id,
             node_id = excluded.node_id, own_verdict = excluded.own_verdict,
             own_at = excluded.own_at, shown_verdict = excluded.shown_verdict,
             shown_incarnation = excluded.shown_incarnation, shown_seq = excluded.shown_seq,
             decided_by = excluded.decided_by, sync_position = excluded.sync_position,
             sync_truth = excluded.sync_truth"
    )))
    .bind(scan.id.as_uuid())
    .bind(scan.record.scanner.as_uuid())
    .bind(scan.record.gate.as_uuid())
    .bind(scan.record.token.0.as_slice())
    .bind(scan.ticket.map(TicketId::as_uuid))
    .bind(scan.node.map(NodeId::as_uuid))
    .bind(&scan.device)
    .bind(scan.record.own.as_ref().map(Json))
    .bind(scan.own_at)
    .bind(shown.map(|shown| Json(&shown.verdict)))
    .bind(shown.map(|shown| shown.place.incarnation.as_uuid()))
    .bind(seq.map_err(DbError::impossible_row)?)
    .bind(match scan.decided_by {
        DecidedBy::Core => "core",
        DecidedBy::Edge => "edge",
    })
    .bind(scan.point.map(|(position, _)| position))
    .bind(scan.point.map(|(_, truth)| truth.0))
    .bind(scan.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(in crate::ticketing) async fn scans(
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
