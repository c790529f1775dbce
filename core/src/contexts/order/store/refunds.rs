//! Tickets with what was paid for them, and refunds.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{OrderId, PerformanceId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::orders::money;
use crate::contexts::order::model::{PaidTicket, RefundPlan};
use eventify_contracts::order::RefundReason;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// A refund as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct RefundRow {
    pub(crate) refund_id: RefundId,
    pub(crate) status: String,
    pub(crate) amount: Money,
    pub(crate) reason: RefundReason,
    pub(crate) note: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
}

pub(crate) async fn add_tickets(
    conn: &mut PgConnection,
    order: OrderId,
    tickets: &[(TicketId, PerformanceId, Money)],
) -> DbResult<()> {
    for (ticket, performance, price) in tickets {
        sqlx::query(
            "insert into order_tickets (ticket_id, order_id, performance_id, currency, amount)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
        )
        .bind(ticket.as_uuid())
        .bind(order.as_uuid())
        .bind(performance.as_uuid())
        .bind(price.currency().code())
        .bind(price.to_decimal())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(crate) async fn tickets(conn: &mut PgConnection, order: OrderId) -> DbResult<Vec<PaidTicket>> {
    let rows = sqlx::query(
        "select ticket_id, performance_id, currency, amount, refund_id
         from order_tickets where order_id = $1 order by ticket_id",
    )
    .bind(order.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PaidTicket {
                ticket_id: row.try_get::<Uuid, _>("ticket_id")?.into(),
                performance_id: row.try_get::<Uuid, _>("performance_id")?.into(),
                price: money(row, "amount")?,
                refund_id: row.try_get::<Option<Uuid>, _>("refund_id")?.map(RefundId),
            })
        })
        .collect()
}

/// Writes a refund and claims its tickets, in the transaction that holds the order's lock.
pub(crate) async fn begin_refund(
    conn: &mut PgConnection,
    id: RefundId,
    order: OrderId,
    plan: &RefundPlan,
    requested_by: Option<UserId>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into order_refunds (refund_id, order_id, status, currency, amount, reason,
             note, requested_by, created_at, updated_at)
         values ($1, $2, 'requested', $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind(id.as_uuid())
    .bind(order.as_uuid())
    .bind(plan.amount.currency().code())
    .bind(plan.amount.to_decimal())
    .bind(plan.reason.name())
    .bind(&plan.note)
    .bind(requested_by.map(UserId::as_uuid))
    .bind(now)
    .execute(&mut *conn)
    .await?;
    let tickets: Vec<Uuid> = plan
        .tickets
        .iter()
        .copied()
        .map(TicketId::as_uuid)
        .collect();
    let claimed = sqlx::query(
        "update order_tickets set refund_id = $1 where ticket_id = any($2) and refund_id is null",
    )
    .bind(id.as_uuid())
    .bind(&tickets)
    .execute(conn)
    .await?;
    if usize::try_from(claimed.rows_affected()).ok() == Some(tickets.len()) {
        return Ok(());
    }
    Err(DbError::impossible_row(
        "a ticket was refunded under the order's lock",
    ))
}

/// The refund of an order with this reason, if there was ever one.
pub(crate) async fn refund_of(
    conn: &mut PgConnection,
    id: RefundId,
) -> DbResult<Option<RefundRow>> {
    let row = sqlx::query(
        "select refund_id, status, currency, amount, reason, note, created_at from order_refunds
         where refund_id = $1",
    )
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(refund).transpose()
}

pub(crate) async fn refunds(conn: &mut PgConnection, order: OrderId) -> DbResult<Vec<RefundRow>> {
    let rows = sqlx::query(
        "select refund_id, status, currency, amount, reason, note, created_at from order_refunds
         where order_id = $1 order by created_at, refund_id",
    )
    .bind(order.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.iter().map(refund).collect()
}

/// The refund came to its end; after a failure its tickets can be refunded again.
pub(crate) async fn end_refund(
    conn: &mut PgConnection,
    id: RefundId,
    succeeded: bool,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("update order_refunds set status = $2, updated_at = $3 where refund_id = $1")
        .bind(id.as_uuid())
        .bind(if succeeded { "succeeded" } else { "failed" })
        .bind(now)
        .execute(&mut *conn)
        .await?;
    if !succeeded {
        sqlx::query("update order_tickets set refund_id = null where refund_id = $1")
            .bind(id.as_uuid())
            .execute(conn)
            .await?;
    }
    Ok(())
}

fn refund(row: &PgRow) -> DbResult<RefundRow> {
    let reason: &str = row.try_get("reason")?;
    Ok(RefundRow {
        refund_id: row.try_get::<Uuid, _>("refund_id")?.into(),
        status: row.try_get("status")?,
        amount: money(row, "amount")?,
        reason: RefundReason::parse(reason)
            .ok_or_else(|| DbError::impossible_row(format!("refund reason {reason}")))?,
        note: row.try_get("note")?,
        created_at: row.try_get("created_at")?,
    })
}
