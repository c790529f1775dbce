//! The refunds table.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CorrelationId, PaymentId, RefundId, TicketId};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::contexts::payment::model::{Refund, RefundState};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const COLUMNS: &str = "select refund_id, payment_id, status, currency, amount, reason, \
    ticket_ids, provider_ref, failure_reason, attempts, correlation_id, created_at, updated_at \
    from refunds";

/// Writes a new refund, due at once; false when it is there already.
pub(crate) async fn add(conn: &mut PgConnection, refund: &Refund) -> DbResult<bool> {
    let tickets: Vec<Uuid> = refund
        .ticket_ids
        .iter()
        .copied()
        .map(TicketId::as_uuid)
        .collect();
    let inserted = sqlx::query(
        "insert into refunds (refund_id, payment_id, status, currency, amount, reason, ticket_ids,
             due_at, correlation_id, created_at, updated_at)
         values ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $7, $7) on conflict do nothing",
    )
    .bind(refund.id.as_uuid())
    .bind(refund.payment_id.as_uuid())
    .bind(refund.amount.currency().code())
    .bind(refund.amount.to_decimal())
    .bind(&refund.reason)
    .bind(tickets)
    .bind(refund.created_at)
    .bind(refund.correlation.as_uuid())
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes the state of a refund that this transaction has locked.
pub(crate) async fn save(
    conn: &mut PgConnection,
    refund: &Refund,
    due_at: Option<DateTime<Utc>>,
) -> DbResult<()> {
    let (status, reason) = match &refund.state {
        RefundState::Pending => ("pending", None),
        RefundState::Succeeded => ("succeeded", None),
        RefundState::Failed(reason) => ("failed", Some(reason)),
    };
    sqlx::query(
        "update refunds set status = $2, provider_ref = $3, failure_reason = $4, due_at = $5,
             updated_at = $6 where refund_id = $1",
    )
    .bind(refund.id.as_uuid())
    .bind(status)
    .bind(&refund.provider_ref)
    .bind(reason)
    .bind(due_at)
    .bind(refund.updated_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: RefundId) -> DbResult<Option<Refund>> {
    one(conn, "where refund_id = $1", id).await
}

pub(crate) async fn lock(conn: &mut PgConnection, id: RefundId) -> DbResult<Option<Refund>> {
    one(conn, "where refund_id = $1 for update", id).await
}

async fn one(conn: &mut PgConnection, which: &str, id: RefundId) -> DbResult<Option<Refund>> {
    let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} {which}")))
        .bind(id.as_uuid())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(refund).transpose()
}

pub(crate) async fn of_payment(conn: &mut PgConnection, id: PaymentId) -> DbResult<Vec<Refund>> {
    let query = format!("{COLUMNS} where payment_id = $1 order by created_at, refund_id");
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(id.as_uuid())
        .fetch_all(conn)
        .await?;
    rows.iter().map(refund).collect()
}

/// What is on its way back already.
pub(crate) async fn pending_sum(
    conn: &mut PgConnection,
    payment: PaymentId,
    currency: Currency,
) -> DbResult<Money> {
    let sum: Decimal = sqlx::query_scalar(
        "select coalesce(sum(amount), 0) from refunds
         where payment_id = $1 and status = 'pending'",
    )
    .bind(payment.as_uuid())
    .fetch_one(conn)
    .await?;
    Money::from_decimal(currency, sum).map_err(DbError::impossible_row)
}

/// Refunds that are to be asked for, or asked about, now.
pub(crate) async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<Refund>> {
    let query =
        format!("{COLUMNS} where status = 'pending' and due_at <= $1 order by due_at limit $2");
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter().map(refund).collect()
}

/// The provider didn't answer, or is at work.
pub(crate) async fn postpone(
    conn: &mut PgConnection,
    id: RefundId,
    due_at: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update refunds set due_at = $2, attempts = attempts + 1
         where refund_id = $1 and status = 'pending'",
    )
    .bind(id.as_uuid())
    .bind(due_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// The provider says that refunds of this payment have changed: all of them are asked about now.
pub(crate) async fn hasten(
    conn: &mut PgConnection,
    payment: PaymentId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("update refunds set due_at = $2 where payment_id = $1 and status = 'pending'")
        .bind(payment.as_uuid())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

fn refund(row: &PgRow) -> DbResult<Refund> {
    let currency: &str = row.try_get("currency")?;
    let currency = Currency::parse(currency).map_err(DbError::impossible_row)?;
    let amount: Decimal = row.try_get("amount")?;
    let status: &str = row.try_get("status")?;
    let reason: Option<String> = row.try_get("failure_reason")?;
    let state = match (status, reason) {
        ("pending", None) => RefundState::Pending,
        ("succeeded", None) => RefundState::Succeeded,
        ("failed", Some(reason)) => RefundState::Failed(reason),
        (status, _) => return Err(DbError::impossible_row(format!("refund {status}"))),
    };
    let tickets: Vec<Uuid> = row.try_get("ticket_ids")?;
    Ok(Refund {
        id: RefundId(row.try_get("refund_id")?),
        payment_id: PaymentId(row.try_get("payment_id")?),
        amount: Money::from_decimal(currency, amount).map_err(DbError::impossible_row)?,
        reason: row.try_get("reason")?,
        ticket_ids: tickets.into_iter().map(TicketId).collect(),
        state,
        provider_ref: row.try_get("provider_ref")?,
        attempts: row.try_get("attempts")?,
        correlation: CorrelationId(row.try_get("correlation_id")?),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}
