//! Orders, as far as they own holds.

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{HoldId, OrderId, PerformanceId};

use crate::contexts::inventory::model::hold::Place;

/// Records that an order is paid or closed; returns whether it is closed. The row's lock puts the
/// two messages in an order, whichever comes first.
pub(crate) async fn upsert(
    conn: &mut PgConnection,
    order: OrderId,
    closed: bool,
) -> DbResult<bool> {
    let closed = sqlx::query_scalar(
        "insert into inventory.orders as known (order_id, closed) values ($1, $2)
         on conflict (order_id) do update set closed = known.closed or excluded.closed
         returning closed",
    )
    .bind(order)
    .bind(closed)
    .fetch_one(conn)
    .await?;
    Ok(closed)
}

/// Locks an order: its tickets are returned one after the other. False if no message about it has
/// arrived.
pub(crate) async fn lock(conn: &mut PgConnection, order: OrderId) -> DbResult<bool> {
    let locked = sqlx::query("select from inventory.orders where order_id = $1 for update")
        .bind(order)
        .execute(conn)
        .await?;
    Ok(locked.rows_affected() == 1)
}

/// The hold by which an order has this seat, or units of this zone.
pub(crate) async fn find_hold(
    conn: &mut PgConnection,
    order: OrderId,
    performance: PerformanceId,
    place: Place,
) -> DbResult<Option<HoldId>> {
    let (seat, bucket) = match place {
        Place::Seat(seat) => (Some(seat), None),
        Place::Unit(bucket) => (None, Some(bucket)),
    };
    let hold = sqlx::query_scalar(
        "select h.hold_id from inventory.holds h where h.order_id = $1 and (
             exists (select from inventory.seat_allocations a where a.hold_id = h.hold_id
                 and a.performance_id = $2 and a.seat_id = $3)
             or exists (select from inventory.bucket_allocations b where b.hold_id = h.hold_id
                 and b.performance_id = $2 and b.bucket_id = $4))
         order by h.hold_id limit 1",
    )
    .bind(order)
    .bind(performance)
    .bind(seat)
    .bind(bucket)
    .fetch_optional(conn)
    .await?;
    Ok(hold)
}
