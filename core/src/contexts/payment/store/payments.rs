//! The payments table.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CorrelationId, OrderId, PaymentId, UserId};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::contexts::payment::gateway::Intent;
use crate::contexts::payment::model::{End, Payment, State, Todo};
use eventify_contracts::payment::FailureReason;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const COLUMNS: &str = "select payment_id, order_id, customer_id, status, currency, amount, \
    captured_amount, refunded_amount, provider_ref, client_secret, failure_reason, todo, \
    correlation_id, created_at, updated_at, version from payments";

/// Writes a new payment; false when its order has one already. Whoever wrote it asks the provider
/// at once; the job does it from `due_at` on.
pub(crate) async fn add(
    conn: &mut PgConnection,
    payment: &Payment,
    provider: &str,
    due_at: DateTime<Utc>,
) -> DbResult<bool> {
    let inserted = sqlx::query(
        "insert into payments (payment_id, order_id, customer_id, status, currency, amount,
             provider, todo, due_at, heard_at, correlation_id, created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10, $10, $12)
         on conflict (order_id) do nothing",
    )
    .bind(payment.id.as_uuid())
    .bind(payment.order_id.as_uuid())
    .bind(payment.customer_id.as_uuid())
    .bind(payment.state.name())
    .bind(payment.amount.currency().code())
    .bind(payment.amount.to_decimal())
    .bind(provider)
    .bind(payment.state.todo().map(Todo::name))
    .bind(due_at)
    .bind(payment.created_at)
    .bind(payment.correlation.as_uuid())
    .bind(payment.version)
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Writes the state of a payment that this transaction has locked. What is to be done is due now;
/// `asking` says that the caller does it itself, and until when the job leaves it to them.
pub(crate) async fn save(
    conn: &mut PgConnection,
    payment: &Payment,
    asking: Option<DateTime<Utc>>,
) -> DbResult<()> {
    let todo = payment.state.todo();
    let (captured, refunded) = match &payment.state {
        State::Captured {
            captured, refunded, ..
        } => (captured.to_decimal(), refunded.to_decimal()),
        State::Creating
        | State::AwaitingCustomer(_)
        | State::Capturing(_)
        | State::Ended { .. } => (Decimal::ZERO, Decimal::ZERO),
    };
    let reason = match &payment.state {
        State::Ended {
            end: End::Failed(reason),
            ..
        } => Some(reason.name()),
        State::Creating
        | State::AwaitingCustomer(_)
        | State::Capturing(_)
        | State::Captured { .. }
        | State::Ended {
            end: End::OrderEnded,
            ..
        } => None,
    };
    let intent = payment.state.intent();
    sqlx::query(
        "update payments set status = $2, captured_amount = $3, refunded_amount = $4,
             provider_ref = $5, client_secret = $6, failure_reason = $7, todo = $8, due_at = $9,
             attempts = 0, heard_at = $10, updated_at = $10, version = $11
         where payment_id = $1",
    )
    .bind(payment.id.as_uuid())
    .bind(payment.state.name())
    .bind(captured)
    .bind(refunded)
    .bind(intent.map(|intent| &intent.reference))
    .bind(intent.map(|intent| &intent.client_secret))
    .bind(reason)
    .bind(todo.map(Todo::name))
    .bind(todo.map(|_| asking.unwrap_or(payment.updated_at)))
    .bind(payment.updated_at)
    .bind(payment.version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: PaymentId) -> DbResult<Option<Payment>> {
    one(conn, "where payment_id = $1", id.as_uuid()).await
}

pub(crate) async fn lock(conn: &mut PgConnection, id: PaymentId) -> DbResult<Option<Payment>> {
    one(conn, "where payment_id = $1 for update", id.as_uuid()).await
}

pub(crate) async fn find_by_order(
    conn: &mut PgConnection,
    id: OrderId,
) -> DbResult<Option<Payment>> {
    one(conn, "where order_id = $1", id.as_uuid()).await
}

pub(crate) async fn lock_by_order(
    conn: &mut PgConnection,
    id: OrderId,
) -> DbResult<Option<Payment>> {
    one(conn, "where order_id = $1 for update", id.as_uuid()).await
}

pub(crate) async fn lock_by_reference(
    conn: &mut PgConnection,
    reference: &str,
) -> DbResult<Option<Payment>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "{COLUMNS} where provider_ref = $1 for update"
    )))
    .bind(reference)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(payment).transpose()
}

async fn one(conn: &mut PgConnection, which: &str, id: Uuid) -> DbResult<Option<Payment>> {
    let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} {which}")))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(payment).transpose()
}

/// Payments of which something is to be asked now, with how often it was tried.
pub(crate) async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<(Payment, i32)>> {
    let query = format!(
        "{} where todo is not null and due_at <= $1 order by due_at limit $2",
        COLUMNS.replace("version from", "version, attempts from")
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok((payment(row)?, row.try_get("attempts")?)))
        .collect()
}

/// The provider didn't answer; the same again later.
pub(crate) async fn postpone(
    conn: &mut PgConnection,
    id: PaymentId,
    due_at: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update payments set due_at = $2, attempts = attempts + 1
         where payment_id = $1 and todo is not null",
    )
    .bind(id.as_uuid())
    .bind(due_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Payments that wait for the customer and of which nothing was heard since.
pub(crate) async fn silent(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<Payment>> {
    let query = format!(
        "{COLUMNS} where status in ('processing', 'requires_action') and todo is null
             and heard_at <= $1 order by heard_at limit $2"
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(since)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter().map(payment).collect()
}

/// The provider was asked, and nothing had changed.
pub(crate) async fn heard(
    conn: &mut PgConnection,
    id: PaymentId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("update payments set heard_at = $2 where payment_id = $1")
        .bind(id.as_uuid())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

fn payment(row: &PgRow) -> DbResult<Payment> {
    let currency: &str = row.try_get("currency")?;
    let currency = Currency::parse(currency).map_err(DbError::impossible_row)?;
    Ok(Payment {
        id: PaymentId(row.try_get("payment_id")?),
        order_id: OrderId(row.try_get("order_id")?),
        customer_id: UserId(row.try_get("customer_id")?),
        amount: money(row, currency, "amount")?,
        state: state(row, currency)?,
        correlation: CorrelationId(row.try_get("correlation_id")?),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        version: row.try_get("version")?,
    })
}

fn state(row: &PgRow, currency: Currency) -> DbResult<State> {
    let status: &str = row.try_get("status")?;
    let todo: Option<&str> = row.try_get("todo")?;
    let reference: Option<String> = row.try_get("provider_ref")?;
    let secret: Option<String> = row.try_get("client_secret")?;
    let reason: Option<&str> = row.try_get("failure_reason")?;
    let intent = reference
        .zip(secret)
        .map(|(reference, client_secret)| Intent {
            reference,
            client_secret,
        });
    let closing = todo.is_some();
    match (status, intent, reason.and_then(FailureReason::parse)) {
        ("processing", None, None) => Ok(State::Creating),
        ("processing", Some(intent), None) => Ok(State::Capturing(intent)),
        ("requires_action", Some(intent), None) => Ok(State::AwaitingCustomer(intent)),
        ("captured" | "partially_refunded" | "refunded", Some(intent), None) => {
            Ok(State::Captured {
                intent,
                captured: money(row, currency, "captured_amount")?,
                refunded: money(row, currency, "refunded_amount")?,
            })
        }
        ("failed", intent, Some(reason)) => Ok(State::Ended {
            intent,
            end: End::Failed(reason),
            closing,
        }),
        ("cancelled", intent, None) => Ok(State::Ended {
            intent,
            end: End::OrderEnded,
            closing,
        }),
        (status, _, _) => Err(DbError::impossible_row(format!(
            "payment {status} {reason:?}"
        ))),
    }
}

fn money(row: &PgRow, currency: Currency, column: &str) -> DbResult<Money> {
    let amount: Decimal = row.try_get(column)?;
    Money::from_decimal(currency, amount).map_err(DbError::impossible_row)
}
