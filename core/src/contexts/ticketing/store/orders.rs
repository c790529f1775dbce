//! Paid orders and what became of their tickets.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::OrderId;
use sqlx::types::Json;
use uuid::Uuid;

use crate::contexts::ticketing::model::PaidOrder;
use eventify_contracts::order::Item;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// Where an order stands.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Its tickets are due.
    Paid(PaidOrder),
    /// It has its tickets.
    Issued,
    /// Given up.
    Failed { reason: String },
    /// Refunded before tickets were issued.
    Closed,
}

/// Notes a paid order; one that is known stays as it is.
pub(crate) async fn add_order(conn: &mut PgConnection, order: &PaidOrder) -> DbResult<()> {
    sqlx::query(
        "insert into orders (order_id, customer_id, items, status, received_at, updated_at, version)
         values ($1, $2, $3, 'paid', $4, $4, 1)
         on conflict (order_id) do nothing",
    )
    .bind(order.id.as_uuid())
    .bind(order.customer_id.as_uuid())
    .bind(Json(&order.items))
    .bind(order.received_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// An order that was refunded as a whole before it had tickets gets none, even if the news of its
/// payment is still on its way.
pub(crate) async fn close_order(
    conn: &mut PgConnection,
    id: OrderId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into orders as held
             (order_id, customer_id, items, status, received_at, updated_at, version)
         values ($1, null, '[]', 'closed', $2, $2, 1)
         on conflict (order_id) do update set status = 'closed', updated_at = excluded.updated_at,
             version = held.version + 1
         where held.status = 'paid'",
    )
    .bind(id.as_uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads an order and keeps everybody else from issuing its tickets until the transaction ends.
pub(crate) async fn lock_order(conn: &mut PgConnection, id: OrderId) -> DbResult<Option<Order>> {
    type Row = (
        Option<Uuid>,
        Json<Vec<Item>>,
        String,
        Option<String>,
        DateTime<Utc>,
    );
    let row: Option<Row> = sqlx::query_as(
        "select customer_id, items, status, failed_reason, received_at from orders
         where order_id = $1 for update",
    )
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    let Some((customer_id, Json(items), status, reason, received_at)) = row else {
        return Ok(None);
    };
    Ok(Some(match (status.as_str(), customer_id, reason) {
        ("paid", Some(customer_id), None) => Order::Paid(PaidOrder {
            id,
            customer_id: customer_id.into(),
            items,
            received_at,
        }),
        ("issued", Some(_), None) => Order::Issued,
        ("failed", _, Some(reason)) => Order::Failed { reason },
        ("closed", _, None) => Order::Closed,
        _ => {
            return Err(DbError::impossible_row(format!(
                "an order that is {status}"
            )));
        }
    }))
}

/// Ends the wait for tickets: issued, or failed for a reason. Answers the order's version.
pub(crate) async fn end_order(
    conn: &mut PgConnection,
    id: OrderId,
    failed: Option<&str>,
    now: DateTime<Utc>,
) -> DbResult<i32> {
    let version = sqlx::query_scalar(
        "update orders set status = case when $2::text is null then 'issued' else 'failed' end,
             failed_reason = $2, updated_at = $3, version = version + 1
         where order_id = $1 returning version",
    )
    .bind(id.as_uuid())
    .bind(failed)
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

/// Orders whose tickets are due, the oldest first.
pub(crate) async fn overdue_orders(conn: &mut PgConnection, limit: u16) -> DbResult<Vec<OrderId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select order_id from orders where status = 'paid' order by received_at limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(OrderId::from).collect())
}
