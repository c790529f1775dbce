//! Webhooks that have had their effect, and orders that ended.

use chrono::{DateTime, Utc};
use eventify_kernel::db::retention::BATCH;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::OrderId;

/// Inserts an event of the provider; false when it has had its effect. A second delivery at the
/// same time waits here for the first one's transaction.
pub(crate) async fn insert_webhook(
    conn: &mut PgConnection,
    provider: &str,
    (id, kind): (&str, &str),
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let inserted = sqlx::query(
        "insert into payment.psp_events (provider, event_id, kind, received_at)
         values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(provider)
    .bind(id)
    .bind(kind)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Deletes a batch of webhooks that came before a moment; true if there may be more.
pub(crate) async fn delete_webhooks(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
) -> DbResult<bool> {
    let deleted = sqlx::query(
        "delete from payment.psp_events where (provider, event_id) in (
             select provider, event_id from payment.psp_events where received_at < $1
             order by received_at limit $2)",
    )
    .bind(before)
    .bind(BATCH)
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected() > 0)
}

/// No payment is created for this order any more.
pub(crate) async fn insert_ended_order(conn: &mut PgConnection, order: OrderId) -> DbResult<()> {
    sqlx::query("insert into payment.ended_orders (order_id) values ($1) on conflict do nothing")
        .bind(order)
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn is_ended(conn: &mut PgConnection, order: OrderId) -> DbResult<bool> {
    let ended =
        sqlx::query_scalar("select exists (select from payment.ended_orders where order_id = $1)")
            .bind(order)
            .fetch_one(conn)
            .await?;
    Ok(ended)
}
