//! Guests who were admitted with tickets that were revoked.

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::Guest;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{OrderId, PerformanceId, SeatId, TicketId};

/// Inserts a guest or updates it to this version of the ticket; false if a newer one is known.
pub(crate) async fn upsert(
    conn: &mut PgConnection,
    ticket: TicketId,
    guest: &Guest,
    (version, dissolved): (i32, bool),
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into inventory.refunded_guests as known
             (ticket_id, gate_id, earliest, latest, version, dissolved)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (ticket_id) do update set gate_id = excluded.gate_id,
             earliest = excluded.earliest, latest = excluded.latest, version = excluded.version,
             dissolved = excluded.dissolved,
             told_at = case when excluded.dissolved then null else known.told_at end
         where known.version < excluded.version",
    )
    .bind(ticket)
    .bind(guest.gate_id)
    .bind(guest.earliest)
    .bind(guest.latest)
    .bind(version)
    .bind(dissolved)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The venue is told of the guest's place now; false if it was before.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    ticket: TicketId,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "update inventory.refunded_guests set told_at = $2
         where ticket_id = $1 and told_at is null and not dissolved",
    )
    .bind(ticket)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Who has a seat now: whether it is sold, and to which order. None: nobody.
pub(crate) async fn find_taker(
    conn: &mut PgConnection,
    performance: PerformanceId,
    seat: SeatId,
) -> DbResult<Option<(bool, Option<OrderId>)>> {
    let taker = sqlx::query_as(
        "select not taken.hold_active, holds.order_id
         from inventory.seat_allocations as taken left join inventory.holds using (hold_id)
         where taken.performance_id = $1 and taken.seat_id = $2",
    )
    .bind(performance)
    .bind(seat)
    .fetch_optional(conn)
    .await?;
    Ok(taker)
}

pub(crate) async fn find_seat(
    conn: &mut PgConnection,
    performance: PerformanceId,
    label: &str,
) -> DbResult<Option<SeatId>> {
    let seat = sqlx::query_scalar(
        "select seat_id from inventory.performance_seats where performance_id = $1 and label = $2",
    )
    .bind(performance)
    .bind(label)
    .fetch_optional(conn)
    .await?;
    Ok(seat)
}
