//! The ledger: rows are added and never changed.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{PaymentId, RefundId};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::payment::model::{Fact, FactKind, LearntBy};

#[derive(Debug, FromRow, Serialize)]
struct FactRow {
    payment_id: PaymentId,
    kind: String,
    currency: String,
    amount: Decimal,
    provider_ref: String,
    refund_id: Option<RefundId>,
    learnt_by: String,
    happened_at: DateTime<Utc>,
    learnt_at: DateTime<Utc>,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    fact: &Fact,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let row = FactRow {
        payment_id: fact.payment_id,
        kind: fact.kind.name().to_owned(),
        currency: fact.amount.currency().code().to_owned(),
        amount: fact.amount.to_decimal(),
        provider_ref: fact.reference.clone(),
        refund_id: fact.refund_id,
        learnt_by: fact.learnt_by.name().to_owned(),
        happened_at: fact.happened_at,
        learnt_at: now,
    };
    insert_rows(conn, "insert into payment.ledger", &[row], "").await?;
    Ok(())
}

/// In the order in which they were learnt.
pub(crate) async fn list_of_payment(conn: &mut PgConnection, id: PaymentId) -> DbResult<Vec<Fact>> {
    let rows: Vec<FactRow> = sqlx::query_as(
        "select payment_id, kind, currency, amount, provider_ref, refund_id, learnt_by,
             happened_at, learnt_at
         from payment.ledger where payment_id = $1 order by position",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Fact::try_from).collect()
}

/// What went back without us and counts for a refund of ours, or was accepted as goodwill.
pub(crate) async fn explained_elsewhere(
    conn: &mut PgConnection,
    id: PaymentId,
    currency: Currency,
) -> DbResult<Money> {
    let sum = sqlx::query_scalar(
        "select coalesce((select sum(amount) from payment.refunds
                 where payment_id = $1 and currency = $2 and settled_by = 'elsewhere'), 0)
             + coalesce((select sum(amount) from payment.open_items
                 where payment_id = $1 and currency = $2 and kind = 'refunded_elsewhere'
                     and act = 'accept'), 0)",
    )
    .bind(id)
    .bind(currency.code())
    .fetch_one(conn)
    .await?;
    money(currency.code(), sum)
}

/// The provider's ids of disputes that nobody has decided.
pub(crate) async fn list_undecided_disputes(
    conn: &mut PgConnection,
    limit: u16,
) -> DbResult<Vec<String>> {
    let ids = sqlx::query_scalar(
        "select provider_ref from payment.ledger as opened
         where kind = 'disputed' and not exists (
             select from payment.ledger as decided
             where decided.provider_ref = opened.provider_ref
                 and decided.kind in ('dispute_won', 'dispute_lost'))
         order by position limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

impl TryFrom<FactRow> for Fact {
    type Error = DbError;

    fn try_from(row: FactRow) -> DbResult<Self> {
        let unknown = || DbError::impossible_row(format!("fact {} {}", row.kind, row.learnt_by));
        Ok(Self {
            payment_id: row.payment_id,
            kind: FactKind::parse(&row.kind).ok_or_else(unknown)?,
            amount: money(&row.currency, row.amount)?,
            learnt_by: LearntBy::parse(&row.learnt_by).ok_or_else(unknown)?,
            reference: row.provider_ref,
            refund_id: row.refund_id,
            happened_at: row.happened_at,
        })
    }
}
