//! Conflicting entries of a passage.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::Admission;
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::TicketId;
use eventify_sync::core::{Conflict, ConflictKind};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use super::check_ins::EntryRow;
use crate::contexts::ticketing::model::PublishedConflict;

/// A whole row, as JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct ConflictRow {
    conflict_id: Uuid,
    ticket_id: TicketId,
    passage: i32,
    #[serde(flatten)]
    entry: EntryRow,
    kind: String,
    first: Admission,
    second: Admission,
    version: i32,
    created_at: DateTime<Utc>,
}

impl TryFrom<ConflictRow> for PublishedConflict {
    type Error = DbError;

    fn try_from(row: ConflictRow) -> DbResult<Self> {
        let kind = match row.kind.as_str() {
            "double_entry" if row.entry.overridden => ConflictKind::Override,
            "double_entry" => ConflictKind::DoubleEntry,
            "order_unknown" => ConflictKind::OrderUnknown,
            kind => {
                return Err(DbError::impossible_row(format!(
                    "a conflict of kind {kind}"
                )));
            }
        };
        Ok(Self {
            id: row.conflict_id,
            ticket: row.ticket_id,
            passage: row.passage,
            conflict: Conflict {
                entry: row.entry.try_into()?,
                kind,
            },
            first: row.first,
            second: row.second,
            version: row.version,
        })
    }
}

impl ConflictRow {
    fn of(conflict: &PublishedConflict, now: DateTime<Utc>) -> DbResult<Self> {
        let kind = match conflict.conflict.kind {
            // The release before knows no other; `overridden` says what it is.
            ConflictKind::DoubleEntry | ConflictKind::Override => "double_entry",
            ConflictKind::OrderUnknown => "order_unknown",
        };
        Ok(Self {
            conflict_id: conflict.id,
            ticket_id: conflict.ticket,
            passage: conflict.passage,
            entry: (&conflict.conflict.entry).try_into()?,
            kind: kind.to_owned(),
            first: conflict.first.clone(),
            second: conflict.second.clone(),
            version: conflict.version,
            created_at: now,
        })
    }
}

/// The conflicts of the tickets' present passages, oldest first.
pub(crate) async fn list_conflicts(
    conn: &mut PgConnection,
    tickets: &[TicketId],
) -> DbResult<BTreeMap<TicketId, Vec<PublishedConflict>>> {
    let rows: Vec<Json<ConflictRow>> = sqlx::query_scalar(
        "select to_jsonb(conflict) from ticketing.checkin_conflicts as conflict
             join ticketing.tickets using (ticket_id, passage)
         where ticket_id = any($1) order by conflict.created_at, conflict.conflict_id",
    )
    .bind(tickets)
    .fetch_all(conn)
    .await?;
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for Json(row) in rows {
        found
            .entry(row.ticket_id)
            .or_default()
            .push(row.try_into()?);
    }
    Ok(found)
}

/// Writes conflicts of tickets that this transaction has locked.
pub(crate) async fn upsert_conflicts(
    conn: &mut PgConnection,
    conflicts: &[PublishedConflict],
    now: DateTime<Utc>,
) -> DbResult<()> {
    let rows = conflicts.iter().map(|it| ConflictRow::of(it, now));
    insert_rows(
        conn,
        "insert into ticketing.checkin_conflicts",
        &rows.collect::<DbResult<Vec<_>>>()?,
        "on conflict (conflict_id) do update set passage = excluded.passage,
             evidence = excluded.evidence, overridden = excluded.overridden,
             journal_incarnation = excluded.journal_incarnation,
             journal_seq = excluded.journal_seq, kind = excluded.kind, first = excluded.first,
             second = excluded.second, version = excluded.version",
    )
    .await?;
    Ok(())
}

pub(crate) async fn delete_conflicts(conn: &mut PgConnection, ids: &[Uuid]) -> DbResult<()> {
    sqlx::query("delete from ticketing.checkin_conflicts where conflict_id = any($1)")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}
