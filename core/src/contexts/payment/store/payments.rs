//! The payments table.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::FailureReason;
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{CorrelationId, OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{Encode, FromRow, Postgres, Type};

use crate::contexts::payment::gateway::Intent;
use crate::contexts::payment::model::{End, Payment, State};

/// Holds a secret, so it has no `Debug`.
#[derive(FromRow, Serialize)]
struct PaymentRow {
    payment_id: PaymentId,
    order_id: OrderId,
    customer_id: UserId,
    status: String,
    currency: String,
    amount: Decimal,
    captured_amount: Decimal,
    refunded_amount: Decimal,
    provider_ref: Option<String>,
    client_secret: Option<String>,
    failure_reason: Option<String>,
    captured_currency: Option<String>,
    last_decline: Option<String>,
    parked_reason: Option<String>,
    attempt: i32,
    todo: Option<String>,
    heard_at: DateTime<Utc>,
    correlation_id: CorrelationId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
    seller_id: Option<UserId>,
}

/// A new payment with the provider that takes it.
#[derive(Serialize)]
struct NewRow<'a> {
    #[serde(flatten)]
    payment: PaymentRow,
    provider: &'a str,
}

macro_rules! select_payments {
    ($condition:literal) => {
        concat!(
            "select payment_id, order_id, customer_id, status, currency, amount, captured_amount,
                 refunded_amount, provider_ref, client_secret, failure_reason, captured_currency,
                 last_decline, parked_reason, attempt, todo, heard_at, correlation_id, created_at,
                 updated_at, version, seller_id
             from payment.payments where ",
            $condition
        )
    };
}

/// Inserts a new payment; false when its order has one already.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    payment: &Payment,
    provider: &str,
) -> DbResult<bool> {
    let payment = payment.into();
    let row = NewRow { payment, provider };
    let rest = "on conflict (order_id) do nothing";
    Ok(insert_rows(conn, "insert into payment.payments", &[row], rest).await? == 1)
}

/// Writes the state of a payment that this transaction has locked.
pub(crate) async fn update(conn: &mut PgConnection, payment: &Payment) -> DbResult<()> {
    sqlx::query(
        "update payment.payments as stored set status = changed.status,
             captured_amount = changed.captured_amount,
             refunded_amount = changed.refunded_amount, provider_ref = changed.provider_ref,
             client_secret = changed.client_secret, failure_reason = changed.failure_reason,
             captured_currency = changed.captured_currency,
             last_decline = changed.last_decline, parked_reason = changed.parked_reason,
             attempt = changed.attempt,
             todo = changed.todo, heard_at = changed.heard_at, updated_at = changed.updated_at,
             version = changed.version
         from jsonb_populate_record(null::payment.payments, $1) as changed
         where stored.payment_id = changed.payment_id",
    )
    .bind(Json(PaymentRow::from(payment)))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: PaymentId) -> DbResult<Option<Payment>> {
    find_one(conn, select_payments!("payment_id = $1"), id).await
}

/// Finds a payment; nobody else changes it until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, id: PaymentId) -> DbResult<Option<Payment>> {
    find_one(conn, select_payments!("payment_id = $1 for update"), id).await
}

pub(crate) async fn find_by_order(
    conn: &mut PgConnection,
    id: OrderId,
) -> DbResult<Option<Payment>> {
    find_one(conn, select_payments!("order_id = $1"), id).await
}

pub(crate) async fn lock_by_order(
    conn: &mut PgConnection,
    id: OrderId,
) -> DbResult<Option<Payment>> {
    find_one(conn, select_payments!("order_id = $1 for update"), id).await
}

/// By the provider's id of the intent.
pub(crate) async fn lock_by_reference(
    conn: &mut PgConnection,
    reference: &str,
) -> DbResult<Option<Payment>> {
    let query = select_payments!("provider_ref = $1 for update");
    find_one(conn, query, reference).await
}

async fn find_one<'q>(
    conn: &mut PgConnection,
    query: &'static str,
    key: impl Encode<'q, Postgres> + Type<Postgres> + 'q,
) -> DbResult<Option<Payment>> {
    let row: Option<PaymentRow> = sqlx::query_as(query).bind(key).fetch_optional(conn).await?;
    row.map(Payment::try_from).transpose()
}

/// Payments that wait for the customer, without news from the provider since a time.
pub(crate) async fn list_silent(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<Payment>> {
    let rows: Vec<PaymentRow> = sqlx::query_as(select_payments!(
        "status in ('processing', 'requires_action') and todo is null
         and parked_reason is null and heard_at <= $1 order by heard_at limit $2"
    ))
    .bind(since)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Payment::try_from).collect()
}

/// Writes that the provider answered and nothing had changed.
pub(crate) async fn update_answered_at(
    conn: &mut PgConnection,
    id: PaymentId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("update payment.payments set heard_at = $2 where payment_id = $1")
        .bind(id)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

impl From<&Payment> for PaymentRow {
    fn from(payment: &Payment) -> Self {
        let state = &payment.state;
        let none = Money::zero(payment.amount.currency());
        let (captured, refunded) = state.amounts().unwrap_or((none, none));
        let currency = payment.amount.currency();
        let foreign = (captured.currency() != currency).then(|| captured.currency());
        let intent = state.intent().cloned();
        let (provider_ref, client_secret) =
            intent.map(|it| (it.reference, it.client_secret)).unzip();
        Self {
            payment_id: payment.id,
            order_id: payment.order_id,
            customer_id: payment.customer_id,
            seller_id: payment.seller_id,
            status: state.name().to_owned(),
            currency: payment.amount.currency().code().to_owned(),
            amount: payment.amount.to_decimal(),
            captured_amount: captured.to_decimal(),
            refunded_amount: refunded.to_decimal(),
            provider_ref,
            client_secret,
            failure_reason: state.failure_reason().map(|it| it.name().to_owned()),
            captured_currency: foreign.map(|it| it.code().to_owned()),
            last_decline: payment.last_decline.map(|it| it.name().to_owned()),
            parked_reason: state.parked().map(str::to_owned),
            attempt: payment.attempt,
            todo: state.next_request().map(|it| it.name().to_owned()),
            heard_at: payment.updated_at,
            correlation_id: payment.correlation,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
            version: payment.version,
        }
    }
}

impl TryFrom<PaymentRow> for Payment {
    type Error = DbError;

    fn try_from(row: PaymentRow) -> DbResult<Self> {
        Ok(Self {
            id: row.payment_id,
            order_id: row.order_id,
            customer_id: row.customer_id,
            seller_id: row.seller_id,
            amount: money(&row.currency, row.amount)?,
            last_decline: row.last_decline.as_deref().and_then(FailureReason::parse),
            attempt: row.attempt,
            correlation: row.correlation_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            state: row.state()?,
        })
    }
}

impl PaymentRow {
    fn state(self) -> DbResult<State> {
        let intent = self.provider_ref.zip(self.client_secret);
        let intent = intent.map(|(reference, client_secret)| Intent {
            reference,
            client_secret,
        });
        let closing = self.todo.is_some();
        let reason = self.failure_reason.as_deref();
        let received = self.captured_currency.as_ref().unwrap_or(&self.currency);
        match (
            self.status.as_str(),
            intent,
            reason.and_then(FailureReason::parse),
        ) {
            ("processing", None, None) => Ok(State::Creating {
                parked: self.parked_reason,
            }),
            ("processing", Some(intent), None) => Ok(State::Capturing(intent)),
            ("requires_action", Some(intent), None) => Ok(State::AwaitingCustomer(intent)),
            ("captured" | "partially_refunded" | "refunded", Some(intent), None) => {
                Ok(State::Captured {
                    intent,
                    captured: money(received, self.captured_amount)?,
                    refunded: money(received, self.refunded_amount)?,
                })
            }
            ("amount_differs", Some(intent), None) => Ok(State::Differs {
                intent,
                captured: money(received, self.captured_amount)?,
                refunded: money(received, self.refunded_amount)?,
            }),
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
}
