//! Check-ins and conflicts.

use eventify_protocol::ids::{GateId, IncarnationId, NodeId, ScanId};
use eventify_protocol::time::{CoreInterval, CoreTime};
use eventify_sync::core::{CheckIn, Evidence, Place};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::unsigned;
use crate::db::{DbError, DbResult};

/// The entry of a row, if the row has one: the columns that check-ins and conflicts have in common.
pub(super) fn entry(row: &PgRow) -> DbResult<Option<CheckIn>> {
    let Some(scan) = row.try_get::<Option<Uuid>, _>("scan_id")? else {
        return Ok(None);
    };
    let node = row.try_get::<Option<Uuid>, _>("node_id")?.map(NodeId);
    let evidence: String = row.try_get("evidence")?;
    let incarnation: Option<Uuid> = row.try_get("journal_incarnation")?;
    let seq: Option<i64> = row.try_get("journal_seq")?;
    let evidence = match (evidence.as_str(), node, incarnation, seq) {
        ("unconfirmed", _, None, None) => Evidence::Unconfirmed,
        ("api", _, None, None) => Evidence::Api,
        ("journal", Some(node), Some(incarnation), Some(seq)) => Evidence::Journal(Place {
            node,
            incarnation: IncarnationId(incarnation),
            seq: unsigned(seq)?,
        }),
        _ => return Err(DbError::impossible_row("an entry of no known evidence")),
    };
    Ok(Some(CheckIn {
        scan: ScanId(scan),
        gate: GateId(row.try_get("gate_id")?),
        node,
        at: CoreInterval {
            earliest: CoreTime(row.try_get("earliest")?),
            latest: CoreTime(row.try_get("latest")?),
        },
        evidence,
    }))
}
