//! Open items.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId, UserId};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::payment::model::{Done, ItemKind, OpenItem, Revoking};

#[derive(Debug, FromRow, Serialize)]
struct ItemRow {
    item_id: Uuid,
    kind: String,
    subject: String,
    payment_id: PaymentId,
    order_id: OrderId,
    refund_id: Option<RefundId>,
    currency: String,
    amount: Decimal,
    reason: String,
    since: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    revoking_tickets: Vec<TicketId>,
    revoking_by: Option<UserId>,
    revoking_since: Option<DateTime<Utc>>,
    refused_because: Option<String>,
    act: Option<String>,
    acted_by: Option<UserId>,
    reference: Option<String>,
    done_at: Option<DateTime<Utc>>,
}

/// Which items are listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ItemFilter {
    pub(crate) kind: Option<ItemKind>,
    pub(crate) order: Option<OrderId>,
    /// Those that are done, too.
    pub(crate) done: bool,
    /// Only of orders whose performances this user, or the organisation, runs.
    pub(crate) run_by: Option<(UserId, Option<String>)>,
}

macro_rules! select_items {
    ($condition:literal) => {
        concat!(
            "select item_id, kind, subject, payment_id, order_id, refund_id, currency, amount,
                 reason, since, updated_at, revoking_tickets, revoking_by, revoking_since,
                 refused_because, act, acted_by, reference, done_at
             from payment.open_items as items where ",
            $condition
        )
    };
}

macro_rules! filtered {
    ($rest:literal) => {
        concat!(
            "($1::text is null or kind = $1) and ($2::uuid is null or order_id = $2)
             and ($3 or done_at is null)
             and ($4::uuid is null or (
                 exists (select from payment.organisers as known
                     where known.payment_id = items.payment_id)
                 and not exists (select from payment.organisers as other
                     where other.payment_id = items.payment_id and other.owner_id <> $4
                         and (other.org_id is null or other.org_id is distinct from $5))))",
            $rest
        )
    };
}

/// Whose shows an order is of, user and organisation, if they are all of one.
pub(crate) async fn find_sole_organiser(
    conn: &mut PgConnection,
    payment: PaymentId,
) -> DbResult<Option<(UserId, Option<String>)>> {
    let mut organisers = sqlx::query_as(
        "select owner_id, org_id from payment.organisers where payment_id = $1 limit 2",
    )
    .bind(payment)
    .fetch_all(conn)
    .await?;
    Ok(organisers.pop().filter(|_| organisers.is_empty()))
}

/// Inserts an item, or says anew what an open one is about. Answers its id.
pub(crate) async fn upsert(conn: &mut PgConnection, item: &OpenItem) -> DbResult<Uuid> {
    let row = ItemRow::from(item);
    let rest = "on conflict (kind, subject) where done_at is null do update
         set amount = excluded.amount, currency = excluded.currency, reason = excluded.reason,
             updated_at = excluded.updated_at";
    insert_rows(conn, "insert into payment.open_items", &[row], rest).await?;
    let id = sqlx::query_scalar(
        "select item_id from payment.open_items
         where kind = $1 and subject = $2 and done_at is null",
    )
    .bind(item.kind.name())
    .bind(&item.subject)
    .fetch_one(conn)
    .await?;
    Ok(id)
}

/// Ends the open item about this, if there is one, and answers its id.
pub(crate) async fn close(
    conn: &mut PgConnection,
    (kind, subject): (ItemKind, &str),
    done: &Done,
) -> DbResult<Option<Uuid>> {
    let id = sqlx::query_scalar(
        "update payment.open_items set act = $3, acted_by = $4, reference = $5, done_at = $6,
             updated_at = $6
         where kind = $1 and subject = $2 and done_at is null returning item_id",
    )
    .bind(kind.name())
    .bind(subject)
    .bind(&done.act)
    .bind(done.by)
    .bind(&done.reference)
    .bind(done.at)
    .fetch_optional(conn)
    .await?;
    Ok(id)
}

/// Notes that tickets are being revoked by somebody's decision about the item.
pub(crate) async fn begin_revoking(
    conn: &mut PgConnection,
    id: Uuid,
    revoking: &Revoking,
) -> DbResult<()> {
    sqlx::query(
        "update payment.open_items set revoking_tickets = $2, revoking_by = $3,
             revoking_since = $4, refused_because = null, updated_at = $4
         where item_id = $1 and done_at is null",
    )
    .bind(id)
    .bind(&revoking.tickets)
    .bind(revoking.by)
    .bind(revoking.since)
    .execute(conn)
    .await?;
    Ok(())
}

/// They are not: the item waits for another decision.
pub(crate) async fn refuse_revoking(
    conn: &mut PgConnection,
    id: Uuid,
    reason: &str,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update payment.open_items set revoking_tickets = '{}', revoking_by = null,
             revoking_since = null, refused_because = $2, updated_at = $3
         where item_id = $1 and done_at is null and revoking_since is not null",
    )
    .bind(id)
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// When somebody last accepted what such an item was about.
pub(crate) async fn accepted_at(
    conn: &mut PgConnection,
    (kind, subject): (ItemKind, &str),
) -> DbResult<Option<DateTime<Utc>>> {
    let at = sqlx::query_scalar(
        "select max(done_at) from payment.open_items
         where kind = $1 and subject = $2 and act = 'accept'",
    )
    .bind(kind.name())
    .bind(subject)
    .fetch_one(conn)
    .await?;
    Ok(at)
}

pub(crate) async fn find(conn: &mut PgConnection, id: Uuid) -> DbResult<Option<OpenItem>> {
    let row: Option<ItemRow> = sqlx::query_as(select_items!("item_id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.map(OpenItem::try_from).transpose()
}

pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> DbResult<Option<OpenItem>> {
    let row: Option<ItemRow> = sqlx::query_as(select_items!("item_id = $1 for update"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.map(OpenItem::try_from).transpose()
}

/// The open items of a payment.
pub(crate) async fn list_open_of_payment(
    conn: &mut PgConnection,
    payment: PaymentId,
) -> DbResult<Vec<OpenItem>> {
    let rows: Vec<ItemRow> = sqlx::query_as(select_items!(
        "payment_id = $1 and done_at is null order by since, item_id"
    ))
    .bind(payment)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(OpenItem::try_from).collect()
}

/// The oldest first.
pub(crate) async fn list(
    conn: &mut PgConnection,
    filter: &ItemFilter,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<OpenItem>, i64)> {
    let kind = filter.kind.map(ItemKind::name);
    let (user, org) = filter.run_by.clone().unzip();
    let org = org.flatten();
    let total = sqlx::query_scalar(concat!(
        "select count(*) from payment.open_items as items where ",
        filtered!("")
    ))
    .bind(kind)
    .bind(filter.order)
    .bind(filter.done)
    .bind(user)
    .bind(&org)
    .fetch_one(&mut *conn)
    .await?;
    let rows: Vec<ItemRow> = sqlx::query_as(concat!(
        select_items!(""),
        filtered!(" order by since, item_id offset $6 limit $7")
    ))
    .bind(kind)
    .bind(filter.order)
    .bind(filter.done)
    .bind(user)
    .bind(&org)
    .bind(offset)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    let items: DbResult<Vec<_>> = rows.into_iter().map(OpenItem::try_from).collect();
    Ok((items?, total))
}

impl From<&OpenItem> for ItemRow {
    fn from(item: &OpenItem) -> Self {
        let (done, revoking) = (item.done.clone(), item.revoking.clone());
        Self {
            revoking_by: revoking.as_ref().map(|it| it.by),
            revoking_since: revoking.as_ref().map(|it| it.since),
            revoking_tickets: revoking.map(|it| it.tickets).unwrap_or_default(),
            refused_because: item.refused.clone(),
            item_id: item.id,
            kind: item.kind.name().to_owned(),
            subject: item.subject.clone(),
            payment_id: item.payment_id,
            order_id: item.order_id,
            refund_id: item.refund_id,
            currency: item.amount.currency().code().to_owned(),
            amount: item.amount.to_decimal(),
            reason: item.reason.clone(),
            since: item.since,
            updated_at: item.updated_at,
            acted_by: done.as_ref().and_then(|it| it.by),
            done_at: done.as_ref().map(|it| it.at),
            reference: done.as_ref().and_then(|it| it.reference.clone()),
            act: done.map(|it| it.act),
        }
    }
}

impl TryFrom<ItemRow> for OpenItem {
    type Error = DbError;

    fn try_from(row: ItemRow) -> DbResult<Self> {
        let kind = ItemKind::parse(&row.kind);
        let done = row.act.zip(row.done_at).map(|(act, at)| Done {
            act,
            by: row.acted_by,
            reference: row.reference,
            at,
        });
        let revoking = row.revoking_by.zip(row.revoking_since);
        let revoking = revoking.map(|(by, since)| Revoking {
            tickets: row.revoking_tickets,
            by,
            since,
        });
        Ok(Self {
            revoking,
            refused: row.refused_because,
            id: row.item_id,
            kind: kind.ok_or_else(|| DbError::impossible_row(format!("item {}", row.kind)))?,
            subject: row.subject,
            payment_id: row.payment_id,
            order_id: row.order_id,
            refund_id: row.refund_id,
            amount: money(&row.currency, row.amount)?,
            reason: row.reason,
            since: row.since,
            updated_at: row.updated_at,
            done,
        })
    }
}
