//! Orders, as far as they own holds.

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{HoldId, OrderId};

use crate::contexts::inventory::model::kept_back::RevokedTicket;

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

/// The hold by which the ticket's order has its seat, or units of its zone. Looked for each time: a
/// unit has no name, and whichever hold still has one can give it.
pub(crate) async fn find_hold(
    conn: &mut PgConnection,
    ticket: &RevokedTicket,
) -> DbResult<Option<HoldId>> {
    let hold = sqlx::query_scalar(
        "select h.hold_id from inventory.holds h where h.order_id = $1 and (
             exists (select from inventory.seat_allocations a where a.hold_id = h.hold_id
                 and a.performance_id = $2 and a.seat_id = $3)
             or exists (select from inventory.bucket_allocations b where b.hold_id = h.hold_id
                 and b.performance_id = $2 and b.bucket_id = $4))
         order by h.hold_id limit 1",
    )
    .bind(ticket.order)
    .bind(ticket.performance)
    .bind(ticket.place.seat())
    .bind(ticket.place.bucket())
    .fetch_optional(conn)
    .await?;
    Ok(hold)
}
