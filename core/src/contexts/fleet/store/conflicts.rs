//! Two admissions of one ticket, as ticketing told.

use eventify_protocol::ids::ScanId;
use sqlx::types::Json;
use uuid::Uuid;

use super::uuids;
use eventify_contracts::ticketing::{Admission, CheckInConflict};
use eventify_kernel::db::{DbResult, PgConnection};

/// Notes a conflict; an older version says nothing.
pub(crate) async fn note(
    conn: &mut PgConnection,
    conflict: &CheckInConflict,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into conflicts as held (conflict_id, ticket_id, order_unknown, first_scan,
             second_scan, first, second, version, dissolved)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (conflict_id) do update set order_unknown = excluded.order_unknown,
             first_scan = excluded.first_scan, second_scan = excluded.second_scan,
             first = excluded.first, second = excluded.second, version = excluded.version,
             dissolved = excluded.dissolved
         where held.version < excluded.version",
    )
    .bind(conflict.conflict_id)
    .bind(conflict.ticket_id.as_uuid())
    .bind(conflict.order_unknown)
    .bind(conflict.first.scan_id.as_uuid())
    .bind(conflict.second.scan_id.as_uuid())
    .bind(Json(&conflict.first))
    .bind(Json(&conflict.second))
    .bind(version)
    .bind(conflict.dissolved)
    .execute(conn)
    .await?;
    Ok(())
}

/// The conflicts in which one of these scans is the first or the second.
pub(crate) async fn of_scans(
    conn: &mut PgConnection,
    scans: &[ScanId],
) -> DbResult<Vec<CheckInConflict>> {
    type Row = (Uuid, Uuid, bool, Json<Admission>, Json<Admission>);
    let rows: Vec<Row> = sqlx::query_as(
        "select conflict_id, ticket_id, order_unknown, first, second from conflicts
         where (first_scan = any($1) or second_scan = any($1)) and not dissolved
         order by conflict_id",
    )
    .bind(uuids(scans))
    .fetch_all(conn)
    .await?;
    let conflicts = rows
        .into_iter()
        .map(
            |(conflict_id, ticket, order_unknown, first, second)| CheckInConflict {
                conflict_id,
                ticket_id: ticket.into(),
                order_unknown,
                first: first.0,
                second: second.0,
                dissolved: false,
            },
        );
    Ok(conflicts.collect())
}
