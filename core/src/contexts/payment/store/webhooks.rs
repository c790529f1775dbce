//! What has been heard: the provider's events, and orders that ended.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::OrderId;

use crate::contexts::payment::gateway::PspEvent;
use eventify_kernel::db::{DbResult, PgConnection};

/// Notes an event of the provider; false when it has had its effect. A second delivery at the same
/// moment waits here for the first one's transaction.
pub(crate) async fn first_time(
    conn: &mut PgConnection,
    provider: &str,
    event: &PspEvent,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let noted = sqlx::query(
        "insert into psp_events (provider, event_id, kind, received_at) values ($1, $2, $3, $4)
         on conflict do nothing",
    )
    .bind(provider)
    .bind(&event.id)
    .bind(&event.kind)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// No payment is made for this order any more.
pub(crate) async fn end_order(conn: &mut PgConnection, order: OrderId) -> DbResult<()> {
    sqlx::query("insert into ended_orders (order_id) values ($1) on conflict do nothing")
        .bind(order.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn is_ended(conn: &mut PgConnection, order: OrderId) -> DbResult<bool> {
    let ended = sqlx::query_scalar("select exists (select from ended_orders where order_id = $1)")
        .bind(order.as_uuid())
        .fetch_one(conn)
        .await?;
    Ok(ended)
}
