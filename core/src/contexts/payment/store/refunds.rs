//! The refunds table.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::SettledBy;
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{CorrelationId, PaymentId, RefundId, TicketId};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::payment::model::{Refund, RefundState};

#[derive(Debug, FromRow, Serialize)]
struct RefundRow {
    refund_id: RefundId,
    payment_id: PaymentId,
    status: String,
    currency: String,
    amount: Decimal,
    reason: String,
    ticket_ids: Vec<TicketId>,
    attempt: i32,
    requests: i32,
    settled_by: String,
    reference: Option<String>,
    provider_ref: Option<String>,
    failure_reason: Option<String>,
    correlation_id: CorrelationId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

macro_rules! select_refunds {
    ($condition:literal) => {
        concat!(
            "select refund_id, payment_id, status, currency, amount, reason, ticket_ids,
                 attempt, requests, settled_by, reference, provider_ref, failure_reason, correlation_id, created_at, updated_at
             from payment.refunds where ",
            $condition
        )
    };
}

/// Inserts a new refund, unless it is known.
pub(crate) async fn insert(conn: &mut PgConnection, refund: &Refund) -> DbResult<()> {
    let row = RefundRow::from(refund);
    let rest = "on conflict do nothing";
    insert_rows(conn, "insert into payment.refunds", &[row], rest).await?;
    Ok(())
}

/// Writes the state of a refund that this transaction has locked.
pub(crate) async fn update(conn: &mut PgConnection, refund: &Refund) -> DbResult<()> {
    let (status, failure_reason) = refund.state.name_and_failure();
    sqlx::query(
        "update payment.refunds set status = $2, provider_ref = $3, failure_reason = $4,
             updated_at = $5, attempt = $6, settled_by = $7, reference = $8, requests = $9
         where refund_id = $1",
    )
    .bind(refund.id)
    .bind(status)
    .bind(&refund.provider_ref)
    .bind(failure_reason)
    .bind(refund.updated_at)
    .bind(refund.attempt)
    .bind(refund.settled_by.name())
    .bind(&refund.reference)
    .bind(refund.requests)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: RefundId) -> DbResult<Option<Refund>> {
    find_one(conn, select_refunds!("refund_id = $1"), id).await
}

/// Finds a refund; nobody else changes it until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, id: RefundId) -> DbResult<Option<Refund>> {
    find_one(conn, select_refunds!("refund_id = $1 for update"), id).await
}

async fn find_one(
    conn: &mut PgConnection,
    query: &'static str,
    id: RefundId,
) -> DbResult<Option<Refund>> {
    let row: Option<RefundRow> = sqlx::query_as(query).bind(id).fetch_optional(conn).await?;
    row.map(Refund::try_from).transpose()
}

pub(crate) async fn list_of_payment(
    conn: &mut PgConnection,
    id: PaymentId,
) -> DbResult<Vec<Refund>> {
    let rows: Vec<RefundRow> = sqlx::query_as(select_refunds!(
        "payment_id = $1 order by created_at, refund_id"
    ))
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Refund::try_from).collect()
}

/// By the provider's id.
pub(crate) async fn find_by_reference(
    conn: &mut PgConnection,
    reference: &str,
) -> DbResult<Option<Refund>> {
    let row: Option<RefundRow> = sqlx::query_as(select_refunds!("provider_ref = $1"))
        .bind(reference)
        .fetch_optional(conn)
        .await?;
    row.map(Refund::try_from).transpose()
}

/// The sum of all pending refunds of a payment, and of those that stand: their money is spoken for.
pub(crate) async fn spoken_for(
    conn: &mut PgConnection,
    payment: PaymentId,
    currency: Currency,
    except: Option<RefundId>,
) -> DbResult<Money> {
    let sum = sqlx::query_scalar(
        "select coalesce(sum(amount), 0) from payment.refunds
         where payment_id = $1 and currency = $2
             and status in ('pending', 'parked', 'returned') and refund_id is distinct from $3",
    )
    .bind(payment)
    .bind(currency.code())
    .bind(except)
    .fetch_one(conn)
    .await?;
    money(currency.code(), sum)
}

impl From<&Refund> for RefundRow {
    fn from(refund: &Refund) -> Self {
        let (status, failure_reason) = refund.state.name_and_failure();
        Self {
            refund_id: refund.id,
            payment_id: refund.payment_id,
            status: status.to_owned(),
            currency: refund.amount.currency().code().to_owned(),
            amount: refund.amount.to_decimal(),
            reason: refund.reason.clone(),
            ticket_ids: refund.ticket_ids.clone(),
            attempt: refund.attempt,
            requests: refund.requests,
            settled_by: refund.settled_by.name().to_owned(),
            reference: refund.reference.clone(),
            provider_ref: refund.provider_ref.clone(),
            failure_reason: failure_reason.map(str::to_owned),
            correlation_id: refund.correlation,
            created_at: refund.created_at,
            updated_at: refund.updated_at,
        }
    }
}

impl TryFrom<RefundRow> for Refund {
    type Error = DbError;

    fn try_from(row: RefundRow) -> DbResult<Self> {
        let state = match (row.status.as_str(), row.failure_reason) {
            ("pending", None) => RefundState::Pending,
            ("succeeded", None) => RefundState::Succeeded,
            ("parked", Some(reason)) => RefundState::Parked(reason),
            ("returned", Some(reason)) => RefundState::Returned(reason),
            ("failed", Some(reason)) => RefundState::Failed(reason),
            (status, _) => return Err(DbError::impossible_row(format!("refund {status}"))),
        };
        let settled_by = SettledBy::parse(&row.settled_by);
        let unknown = || DbError::impossible_row(format!("refund settled by {}", row.settled_by));
        Ok(Self {
            attempt: row.attempt,
            requests: row.requests,
            settled_by: settled_by.ok_or_else(unknown)?,
            reference: row.reference,
            id: row.refund_id,
            payment_id: row.payment_id,
            amount: money(&row.currency, row.amount)?,
            reason: row.reason,
            ticket_ids: row.ticket_ids,
            state,
            provider_ref: row.provider_ref,
            correlation: row.correlation_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
