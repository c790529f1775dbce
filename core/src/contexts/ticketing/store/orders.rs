//! Paid orders and their progress to tickets.

use chrono::{DateTime, Utc};
use eventify_contracts::order::Item;
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{OrderId, UserId};
use sqlx::FromRow;
use sqlx::types::Json;

use crate::contexts::ticketing::model::{Order, PaidOrder};

#[derive(FromRow)]
struct Row {
    order_id: OrderId,
    customer_id: Option<UserId>,
    items: Json<Vec<Item>>,
    status: String,
    failed_reason: Option<String>,
    received_at: DateTime<Utc>,
}

impl TryFrom<Row> for Order {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        Ok(
            match (row.status.as_str(), row.customer_id, row.failed_reason) {
                ("paid", Some(customer_id), None) => Self::Paid(PaidOrder {
                    id: row.order_id,
                    customer_id,
                    items: row.items.0,
                    received_at: row.received_at,
                }),
                ("issued", Some(_), None) => Self::Issued,
                ("failed", _, Some(reason)) => Self::Failed { reason },
                ("closed", _, None) => Self::Closed,
                (status, ..) => {
                    return Err(DbError::impossible_row(format!(
                        "an order that is {status}"
                    )));
                }
            },
        )
    }
}

/// An order that is known stays as it is.
pub(crate) async fn insert_order(conn: &mut PgConnection, order: &PaidOrder) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.orders
             (order_id, customer_id, items, status, received_at, updated_at, version)
         values ($1, $2, $3, 'paid', $4, $4, 1)
         on conflict (order_id) do nothing",
    )
    .bind(order.id)
    .bind(order.customer_id)
    .bind(Json(&order.items))
    .bind(order.received_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// An order that was refunded as a whole before it had tickets gets none, even if the event of its
/// payment has not arrived yet.
pub(crate) async fn close_order(
    conn: &mut PgConnection,
    id: OrderId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.orders as stored
             (order_id, customer_id, items, status, received_at, updated_at, version)
         values ($1, null, '[]', 'closed', $2, $2, 1)
         on conflict (order_id) do update set status = 'closed', updated_at = excluded.updated_at,
             version = stored.version + 1
         where stored.status = 'paid'",
    )
    .bind(id)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps all others from issuing the order's tickets until the transaction ends.
pub(crate) async fn lock_order(conn: &mut PgConnection, id: OrderId) -> DbResult<Option<Order>> {
    let row: Option<Row> = sqlx::query_as(
        "select order_id, customer_id, items, status, failed_reason, received_at
         from ticketing.orders where order_id = $1 for update",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    row.map(Order::try_from).transpose()
}

/// The order has its tickets, or has failed for a reason. Returns its version.
pub(crate) async fn end_order(
    conn: &mut PgConnection,
    id: OrderId,
    failed: Option<&str>,
    now: DateTime<Utc>,
) -> DbResult<i32> {
    let version = sqlx::query_scalar(
        "update ticketing.orders
         set status = case when $2::text is null then 'issued' else 'failed' end,
             failed_reason = $2, updated_at = $3, version = version + 1
         where order_id = $1 returning version",
    )
    .bind(id)
    .bind(failed)
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

/// Orders whose tickets are due, the oldest first, with the time since when.
pub(crate) async fn list_due_orders(
    conn: &mut PgConnection,
    limit: u16,
) -> DbResult<Vec<(OrderId, DateTime<Utc>)>> {
    let due = sqlx::query_as(
        "select order_id, received_at from ticketing.orders where status = 'paid' order by received_at limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(due)
}
