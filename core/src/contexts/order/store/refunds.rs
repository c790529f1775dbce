//! Refunds.

use chrono::{DateTime, Utc};
use eventify_contracts::order::RefundReason;
use eventify_contracts::payment::SettledBy;
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{OrderId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::order::model::RefundPlan;

/// A stored refund.
#[derive(Clone, Debug)]
pub(crate) struct Refund {
    pub(crate) refund_id: RefundId,
    pub(crate) order_id: OrderId,
    /// None of one that the core asked for by itself.
    pub(crate) requested_by: Option<UserId>,
    pub(crate) status: String,
    pub(crate) amount: Money,
    pub(crate) reason: RefundReason,
    pub(crate) note: Option<String>,
    /// The code with which it was refused or came back.
    pub(crate) failure_reason: Option<String>,
    pub(crate) settled_by: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
}

/// Status of a refund until its tickets are suspended.
pub(crate) const OPENED: &str = "opened";
/// Status of a refund whose money was asked for.
pub(crate) const REQUESTED: &str = "requested";
/// Status of a refund that the provider refuses, until somebody decides.
pub(crate) const PARKED: &str = "parked";
/// Status of a refund whose money came back.
pub(crate) const RETURNED: &str = "returned";

#[derive(Debug, FromRow, Serialize)]
struct RefundRow {
    refund_id: RefundId,
    order_id: OrderId,
    status: String,
    currency: String,
    amount: Decimal,
    reason: String,
    note: Option<String>,
    failure_reason: Option<String>,
    settled_by: Option<String>,
    reference: Option<String>,
    requested_by: Option<UserId>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

macro_rules! select_refunds {
    ($condition:literal) => {
        concat!(
            r#"select refund_id, order_id, status, currency, amount, reason, note,
                 failure_reason, settled_by, reference, requested_by, created_at, updated_at
             from "order".order_refunds where "#,
            $condition
        )
    };
}

/// Inserts a refund with its tickets, in the transaction that holds the order's lock.
pub(crate) async fn insert_refund(
    conn: &mut PgConnection,
    id: RefundId,
    order_id: OrderId,
    plan: &RefundPlan,
    requested_by: Option<UserId>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let row = RefundRow {
        refund_id: id,
        order_id,
        status: OPENED.to_owned(),
        currency: plan.amount.currency().code().to_owned(),
        amount: plan.amount.to_decimal(),
        reason: plan.reason.name().to_owned(),
        note: plan.note.clone(),
        failure_reason: None,
        settled_by: None,
        reference: None,
        requested_by,
        created_at: now,
        updated_at: now,
    };
    insert_rows(conn, r#"insert into "order".order_refunds"#, &[row], "").await?;
    let updated = sqlx::query(
        r#"update "order".order_tickets set refund_id = $1
         where ticket_id = any($2) and refund_id is null"#,
    )
    .bind(id)
    .bind(&plan.tickets)
    .execute(conn)
    .await?;
    if usize::try_from(updated.rows_affected()).ok() == Some(plan.tickets.len()) {
        return Ok(());
    }
    Err(DbError::impossible_row(
        "a ticket was refunded under the order's lock",
    ))
}

pub(crate) async fn find_refund(conn: &mut PgConnection, id: RefundId) -> DbResult<Option<Refund>> {
    let row: Option<RefundRow> = sqlx::query_as(select_refunds!("refund_id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.map(Refund::try_from).transpose()
}

pub(crate) async fn list_refunds(conn: &mut PgConnection, order: OrderId) -> DbResult<Vec<Refund>> {
    let rows: Vec<RefundRow> = sqlx::query_as(select_refunds!(
        "order_id = $1 order by created_at, refund_id"
    ))
    .bind(order)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Refund::try_from).collect()
}

/// Notes payment's word about a refund; false when a later one has been noted.
pub(crate) async fn is_newer(
    conn: &mut PgConnection,
    id: RefundId,
    version: i32,
) -> DbResult<bool> {
    let noted = sqlx::query(
        r#"update "order".order_refunds set payment_version = $2
         where refund_id = $1 and payment_version < $2"#,
    )
    .bind(id)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// The money went back.
pub(crate) async fn mark_refund_succeeded(
    conn: &mut PgConnection,
    id: RefundId,
    (by, reference): (SettledBy, Option<&str>),
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        r#"update "order".order_refunds set status = 'succeeded', updated_at = $2,
             failure_reason = null, settled_by = $3, reference = $4
         where refund_id = $1"#,
    )
    .bind(id)
    .bind(now)
    .bind(by.name())
    .bind(reference)
    .execute(conn)
    .await?;
    Ok(())
}

/// The refund is in this state, for a reason; its tickets stay with it.
pub(crate) async fn mark_refund(
    conn: &mut PgConnection,
    id: RefundId,
    (status, reason): (&str, Option<&str>),
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        r#"update "order".order_refunds set status = $2, failure_reason = $3, updated_at = $4
         where refund_id = $1"#,
    )
    .bind(id)
    .bind(status)
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// These tickets don't belong to the refund any more, which has another amount.
pub(crate) async fn leave_out(
    conn: &mut PgConnection,
    id: RefundId,
    tickets: &[TicketId],
    amount: &Money,
    now: DateTime<Utc>,
) -> DbResult<()> {
    if tickets.is_empty() {
        return Ok(());
    }
    sqlx::query(
        r#"with smaller as (
             update "order".order_refunds set amount = $3, updated_at = $4 where refund_id = $1)
         update "order".order_tickets set refund_id = null
         where refund_id = $1 and ticket_id = any($2)"#,
    )
    .bind(id)
    .bind(tickets)
    .bind(amount.to_decimal())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// How many refunds were opened before a time and still wait for their tickets.
pub(crate) async fn count_stuck(conn: &mut PgConnection, since: DateTime<Utc>) -> DbResult<i64> {
    let count = sqlx::query_scalar(
        r#"select count(*) from "order".order_refunds where status = $1 and created_at <= $2"#,
    )
    .bind(OPENED)
    .bind(since)
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Refunds whose tickets are not suspended though that was last asked for before a time, the oldest
/// first.
pub(crate) async fn list_stuck(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<(RefundId, OrderId)>> {
    let stuck = sqlx::query_as(
        r#"select refund_id, order_id from "order".order_refunds
         where status = $1 and updated_at <= $2 order by updated_at limit $3"#,
    )
    .bind(OPENED)
    .bind(since)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(stuck)
}

/// The refund failed: its tickets can be refunded again.
pub(crate) async fn mark_refund_failed(
    conn: &mut PgConnection,
    id: RefundId,
    reason: &str,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        r#"with failed as (
             update "order".order_refunds set status = 'failed', failure_reason = $3,
                 updated_at = $2
             where refund_id = $1)
         update "order".order_tickets set refund_id = null where refund_id = $1"#,
    )
    .bind(id)
    .bind(now)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

impl TryFrom<RefundRow> for Refund {
    type Error = DbError;

    fn try_from(row: RefundRow) -> DbResult<Self> {
        let reason = RefundReason::parse(&row.reason);
        let unknown = || DbError::impossible_row(format!("refund reason {}", row.reason));
        Ok(Self {
            refund_id: row.refund_id,
            order_id: row.order_id,
            requested_by: row.requested_by,
            status: row.status,
            amount: money(&row.currency, row.amount)?,
            reason: reason.ok_or_else(unknown)?,
            note: row.note,
            failure_reason: row.failure_reason,
            settled_by: row.settled_by,
            reference: row.reference,
            created_at: row.created_at,
        })
    }
}
