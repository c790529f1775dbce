//! Orders with their items.

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::order::{CancelReason, Item};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{
    BucketId, CorrelationId, HoldId, OrderId, PaymentId, PerformanceId, ReservationId, SeatId,
    UserId, VenueId,
};
use eventify_protocol::money::Money;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::order::model::{Order, State};

#[derive(Debug, FromRow, Serialize)]
struct OrderRow {
    order_id: OrderId,
    reservation_id: ReservationId,
    customer_id: UserId,
    status: String,
    currency: String,
    total_amount: Decimal,
    pay_until: DateTime<Utc>,
    payment_id: Option<PaymentId>,
    paid_at: Option<DateTime<Utc>>,
    cancelled_reason: Option<String>,
    correlation_id: CorrelationId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
    refunded_elsewhere: Decimal,
    seller_id: Option<UserId>,
}

#[derive(Debug, FromRow, Serialize)]
struct ItemRow {
    order_id: OrderId,
    line: i32,
    performance_id: PerformanceId,
    venue_id: VenueId,
    seat_id: Option<SeatId>,
    seat_label: Option<String>,
    bucket_id: Option<BucketId>,
    zone: Option<String>,
    #[sqlx(try_from = "i32")]
    qty: u32,
    price_category: String,
    currency: String,
    unit_amount: Decimal,
    hold_id: HoldId,
}

macro_rules! select_orders {
    ($condition:literal) => {
        concat!(
            r#"select order_id, reservation_id, customer_id, status, currency, total_amount,
                 pay_until, payment_id, paid_at, cancelled_reason, correlation_id, created_at,
                 updated_at, version, refunded_elsewhere, seller_id
             from "order".orders where "#,
            $condition
        )
    };
}

/// Inserts a new order; false when its reservation has one already.
pub(crate) async fn insert(conn: &mut PgConnection, order: &Order) -> DbResult<bool> {
    let row = OrderRow::from(order);
    let rest = "on conflict (reservation_id) do nothing";
    if insert_rows(conn, r#"insert into "order".orders"#, &[row], rest).await? == 0 {
        return Ok(false);
    }
    let lines = (0..).zip(&order.items);
    let items: Vec<_> = lines
        .map(|(line, item)| ItemRow::new(order.id, line, item))
        .collect();
    insert_rows(conn, r#"insert into "order".order_items"#, &items, "").await?;
    Ok(true)
}

/// Writes state, payment and version of an order that this transaction has locked.
pub(crate) async fn update(conn: &mut PgConnection, order: &Order) -> DbResult<()> {
    sqlx::query(
        r#"update "order".orders set status = $2, payment_id = $3, paid_at = $4,
             cancelled_reason = $5, updated_at = $6, version = $7, pay_until = $8
         where order_id = $1"#,
    )
    .bind(order.id)
    .bind(order.state.name())
    .bind(order.payment_id)
    .bind(order.state.paid_at())
    .bind(order.state.cancel_reason().map(CancelReason::name))
    .bind(order.updated_at)
    .bind(order.version)
    .bind(order.pay_until)
    .execute(conn)
    .await?;
    Ok(())
}

/// What went back without us, unless a later word about it has arrived before.
pub(crate) async fn update_elsewhere(
    conn: &mut PgConnection,
    id: OrderId,
    total: Money,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        r#"update "order".orders set refunded_elsewhere = $2, refunded_elsewhere_version = $3
         where order_id = $1 and refunded_elsewhere_version < $3"#,
    )
    .bind(id)
    .bind(total.to_decimal())
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: OrderId) -> DbResult<Option<Order>> {
    find_one(conn, select_orders!("order_id = $1"), id.as_uuid()).await
}

/// Finds an order; nobody else changes it until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, id: OrderId) -> DbResult<Option<Order>> {
    let query = select_orders!("order_id = $1 for update");
    find_one(conn, query, id.as_uuid()).await
}

pub(crate) async fn lock_by_payment(
    conn: &mut PgConnection,
    id: PaymentId,
) -> DbResult<Option<Order>> {
    let query = select_orders!("payment_id = $1 for update");
    find_one(conn, query, id.as_uuid()).await
}

pub(crate) async fn find_by_reservation(
    conn: &mut PgConnection,
    id: ReservationId,
) -> DbResult<Option<Order>> {
    find_one(conn, select_orders!("reservation_id = $1"), id.as_uuid()).await
}

async fn find_one(
    conn: &mut PgConnection,
    query: &'static str,
    id: Uuid,
) -> DbResult<Option<Order>> {
    let row = sqlx::query_as(query).bind(id);
    let row = row.fetch_optional(&mut *conn).await?;
    with_items(conn, row).await
}

/// A customer's orders, newest first, and how many there are.
pub(crate) async fn list(
    conn: &mut PgConnection,
    customer: UserId,
    reservation: Option<ReservationId>,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<Order>, i64)> {
    let total = sqlx::query_scalar(
        r#"select count(*) from "order".orders
         where customer_id = $1 and ($2::uuid is null or reservation_id = $2)"#,
    )
    .bind(customer)
    .bind(reservation)
    .fetch_one(&mut *conn)
    .await?;
    let rows: Vec<OrderRow> = sqlx::query_as(select_orders!(
        "customer_id = $1 and ($2::uuid is null or reservation_id = $2)
         order by created_at desc, order_id limit $3 offset $4"
    ))
    .bind(customer)
    .bind(reservation)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let mut orders = Vec::with_capacity(rows.len());
    for row in rows {
        orders.extend(with_items(conn, Some(row)).await?);
    }
    Ok((orders, total))
}

/// Unpaid orders whose deadline has passed or whose performance was cancelled, with the reason for
/// which they are cancelled. An order for which there is nothing to pay yet waits since it was made.
pub(crate) async fn list_unpaid_past_deadline(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    wait: Duration,
    (offset, limit): (u16, u16),
) -> DbResult<Vec<(OrderId, CancelReason)>> {
    let orders: Vec<(OrderId, bool)> = sqlx::query_as(
        r#"with unpaid as (
             select order_id, pay_until,
                 pay_until <= $1 and (payment_id is not null or created_at <= $3) as is_late
             from "order".orders where status in ('pending', 'processing'))
         select order_id, is_late from unpaid
         where is_late or exists (
             select from "order".order_items
             join "order".cancelled_performances using (performance_id)
             where order_items.order_id = unpaid.order_id)
         order by pay_until, order_id limit $2 offset $4"#,
    )
    .bind(now)
    .bind(i64::from(limit))
    .bind(now - wait)
    .bind(i64::from(offset))
    .fetch_all(conn)
    .await?;
    let with_reason = |(id, is_late)| match is_late {
        true => (id, CancelReason::PaymentTimeout),
        false => (id, CancelReason::EventCancelled),
    };
    Ok(orders.into_iter().map(with_reason).collect())
}

async fn with_items(conn: &mut PgConnection, row: Option<OrderRow>) -> DbResult<Option<Order>> {
    let Some(row) = row else { return Ok(None) };
    let items: Vec<ItemRow> = sqlx::query_as(
        r#"select order_id, line, performance_id, venue_id, seat_id, seat_label, bucket_id, zone,
             qty, price_category, currency, unit_amount, hold_id
         from "order".order_items where order_id = $1 order by line"#,
    )
    .bind(row.order_id)
    .fetch_all(conn)
    .await?;
    let items = items.into_iter().map(Item::try_from);
    Ok(Some(Order {
        state: row.state()?,
        id: row.order_id,
        reservation_id: row.reservation_id,
        customer_id: row.customer_id,
        seller_id: row.seller_id,
        amount: money(&row.currency, row.total_amount)?,
        items: items.collect::<DbResult<_>>()?,
        pay_until: row.pay_until,
        payment_id: row.payment_id,
        refunded_elsewhere: money(&row.currency, row.refunded_elsewhere)?,
        correlation: row.correlation_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }))
}

impl From<&Order> for OrderRow {
    fn from(order: &Order) -> Self {
        let reason = order.state.cancel_reason();
        Self {
            order_id: order.id,
            reservation_id: order.reservation_id,
            customer_id: order.customer_id,
            status: order.state.name().to_owned(),
            currency: order.amount.currency().code().to_owned(),
            total_amount: order.amount.to_decimal(),
            pay_until: order.pay_until,
            payment_id: order.payment_id,
            paid_at: order.state.paid_at(),
            cancelled_reason: reason.map(|reason| reason.name().to_owned()),
            correlation_id: order.correlation,
            created_at: order.created_at,
            updated_at: order.updated_at,
            version: order.version,
            refunded_elsewhere: order.refunded_elsewhere.to_decimal(),
            seller_id: order.seller_id,
        }
    }
}

impl OrderRow {
    fn state(&self) -> DbResult<State> {
        let reason = self.cancelled_reason.as_deref();
        match (
            self.status.as_str(),
            self.paid_at,
            reason.and_then(CancelReason::parse),
        ) {
            ("pending", None, None) => Ok(State::Pending),
            ("processing", None, None) => Ok(State::Processing),
            ("paid", Some(at), None) => Ok(State::Paid { at }),
            ("partially_refunded", Some(paid_at), None) => Ok(State::PartiallyRefunded { paid_at }),
            ("refunded", Some(paid_at), None) => Ok(State::Refunded { paid_at }),
            ("cancelled", None, Some(reason)) => Ok(State::Cancelled(reason)),
            (status, _, _) => Err(DbError::impossible_row(format!(
                "order {status} {reason:?}"
            ))),
        }
    }
}

impl ItemRow {
    fn new(order_id: OrderId, line: i32, item: &Item) -> Self {
        Self {
            order_id,
            line,
            performance_id: item.performance_id,
            venue_id: item.venue_id,
            seat_id: item.seat_id,
            seat_label: item.seat_label.clone(),
            bucket_id: item.bucket_id,
            zone: item.zone.clone(),
            qty: item.qty,
            price_category: item.price_category.to_string(),
            currency: item.unit_price.currency().code().to_owned(),
            unit_amount: item.unit_price.to_decimal(),
            hold_id: item.hold_id,
        }
    }
}

impl TryFrom<ItemRow> for Item {
    type Error = DbError;

    fn try_from(row: ItemRow) -> DbResult<Self> {
        let category = row.price_category.parse();
        Ok(Self {
            performance_id: row.performance_id,
            venue_id: row.venue_id,
            seat_id: row.seat_id,
            seat_label: row.seat_label,
            bucket_id: row.bucket_id,
            zone: row.zone,
            qty: row.qty,
            price_category: category.map_err(DbError::impossible_row)?,
            unit_price: money(&row.currency, row.unit_amount)?,
            hold_id: row.hold_id,
        })
    }
}
