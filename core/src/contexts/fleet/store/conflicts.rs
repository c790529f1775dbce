//! Double entries and entries of unknown order, as ticketing publishes them.

use eventify_contracts::ticketing::{Admission, CheckInConflict};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{ScanId, TicketId};
use serde::Serialize;
use uuid::Uuid;

#[derive(Serialize, sqlx::FromRow)]
struct Row {
    conflict_id: Uuid,
    ticket_id: TicketId,
    order_unknown: bool,
    first_scan: ScanId,
    second_scan: ScanId,
    #[sqlx(json)]
    first: Admission,
    #[sqlx(json)]
    second: Admission,
    version: i32,
    dissolved: bool,
}

impl From<Row> for CheckInConflict {
    fn from(row: Row) -> Self {
        Self {
            conflict_id: row.conflict_id,
            ticket_id: row.ticket_id,
            order_unknown: row.order_unknown,
            first: row.first,
            second: row.second,
            dissolved: row.dissolved,
        }
    }
}

/// Inserts a conflict or updates it to this version; an older version changes nothing.
pub(crate) async fn upsert(
    conn: &mut PgConnection,
    conflict: CheckInConflict,
    version: i32,
) -> DbResult<()> {
    let row = Row {
        conflict_id: conflict.conflict_id,
        ticket_id: conflict.ticket_id,
        order_unknown: conflict.order_unknown,
        first_scan: conflict.first.scan_id,
        second_scan: conflict.second.scan_id,
        first: conflict.first,
        second: conflict.second,
        version,
        dissolved: conflict.dissolved,
    };
    insert_rows(
        conn,
        "insert into fleet.conflicts as stored",
        &[row],
        "on conflict (conflict_id) do update set order_unknown = excluded.order_unknown,
             first_scan = excluded.first_scan, second_scan = excluded.second_scan,
             first = excluded.first, second = excluded.second, version = excluded.version,
             dissolved = excluded.dissolved
         where stored.version < excluded.version",
    )
    .await?;
    Ok(())
}

/// The conflicts in which one of these scans is the first or the second.
pub(crate) async fn list_of_scans(
    conn: &mut PgConnection,
    scans: &[ScanId],
) -> DbResult<Vec<CheckInConflict>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select conflict_id, ticket_id, order_unknown, first_scan, second_scan, first, second,
             version, dissolved
         from fleet.conflicts
         where (first_scan = any($1) or second_scan = any($1)) and not dissolved
         order by conflict_id",
    )
    .bind(scans)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
