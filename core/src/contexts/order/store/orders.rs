//! Orders with their items.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{
    BucketId, CorrelationId, OrderId, PaymentId, ReservationId, SeatId, UserId,
};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::contexts::order::model::{Order, State};
use eventify_contracts::order::{CancelReason, Item};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const COLUMNS: &str = "select order_id, reservation_id, customer_id, status, currency, \
    total_amount, pay_until, payment_id, paid_at, cancelled_reason, correlation_id, created_at, \
    updated_at, version from orders";

/// Writes a new order; false when its reservation has one already.
pub(crate) async fn insert(conn: &mut PgConnection, order: &Order) -> DbResult<bool> {
    let inserted = sqlx::query(
        "insert into orders (order_id, reservation_id, customer_id, status, currency,
             total_amount, pay_until, paid_at, correlation_id, created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (reservation_id) do nothing",
    )
    .bind(order.id.as_uuid())
    .bind(order.reservation_id.as_uuid())
    .bind(order.customer_id.as_uuid())
    .bind(order.state.name())
    .bind(order.amount.currency().code())
    .bind(order.amount.to_decimal())
    .bind(order.pay_until)
    .bind(order.state.paid_at())
    .bind(order.correlation.as_uuid())
    .bind(order.created_at)
    .bind(order.updated_at)
    .bind(order.version)
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    for (line, item) in (0_i32..).zip(&order.items) {
        insert_item(conn, order.id, line, item).await?;
    }
    Ok(true)
}

async fn insert_item(
    conn: &mut PgConnection,
    order: OrderId,
    line: i32,
    item: &Item,
) -> DbResult<()> {
    sqlx::query(
        "insert into order_items (order_id, line, performance_id, venue_id, seat_id, seat_label,
             bucket_id, zone, qty, price_category, currency, unit_amount, hold_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(order.as_uuid())
    .bind(line)
    .bind(item.performance_id.as_uuid())
    .bind(item.venue_id.as_uuid())
    .bind(item.seat_id.map(SeatId::as_uuid))
    .bind(&item.seat_label)
    .bind(item.bucket_id.map(BucketId::as_uuid))
    .bind(&item.zone)
    .bind(i32::try_from(item.qty).map_err(DbError::impossible_row)?)
    .bind(item.price_category.as_str())
    .bind(item.unit_price.currency().code())
    .bind(item.unit_price.to_decimal())
    .bind(item.hold_id.as_uuid())
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes state, payment and version of an order that this transaction has locked.
pub(crate) async fn save(conn: &mut PgConnection, order: &Order) -> DbResult<()> {
    let reason = match order.state {
        State::Cancelled(reason) => Some(reason.name()),
        State::Pending
        | State::Processing
        | State::Paid { .. }
        | State::PartiallyRefunded { .. }
        | State::Refunded { .. } => None,
    };
    sqlx::query(
        "update orders set status = $2, payment_id = $3, paid_at = $4, cancelled_reason = $5,
             updated_at = $6, version = $7 where order_id = $1",
    )
    .bind(order.id.as_uuid())
    .bind(order.state.name())
    .bind(order.payment_id.map(PaymentId::as_uuid))
    .bind(order.state.paid_at())
    .bind(reason)
    .bind(order.updated_at)
    .bind(order.version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: OrderId) -> DbResult<Option<Order>> {
    one(conn, "where order_id = $1", id.as_uuid()).await
}

/// Reads it and keeps everybody else from changing it until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, id: OrderId) -> DbResult<Option<Order>> {
    one(conn, "where order_id = $1 for update", id.as_uuid()).await
}

pub(crate) async fn find_by_reservation(
    conn: &mut PgConnection,
    id: ReservationId,
) -> DbResult<Option<Order>> {
    one(conn, "where reservation_id = $1", id.as_uuid()).await
}

pub(crate) async fn find_by_payment(
    conn: &mut PgConnection,
    id: PaymentId,
) -> DbResult<Option<Order>> {
    one(conn, "where payment_id = $1", id.as_uuid()).await
}

async fn one(conn: &mut PgConnection, which: &str, id: Uuid) -> DbResult<Option<Order>> {
    let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} {which}")))
        .bind(id)
        .fetch_optional(&mut *conn)
        .await?;
    match row {
        Some(row) => Ok(Some(with_items(conn, &row).await?)),
        None => Ok(None),
    }
}

/// A customer's orders, newest first, and how many there are.
pub(crate) async fn list(
    conn: &mut PgConnection,
    customer: UserId,
    reservation: Option<ReservationId>,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<Order>, i64)> {
    let reservation = reservation.map(ReservationId::as_uuid);
    let total = sqlx::query_scalar(
        "select count(*) from orders
         where customer_id = $1 and ($2::uuid is null or reservation_id = $2)",
    )
    .bind(customer.as_uuid())
    .bind(reservation)
    .fetch_one(&mut *conn)
    .await?;
    let query = format!(
        "{COLUMNS} where customer_id = $1 and ($2::uuid is null or reservation_id = $2)
         order by created_at desc, order_id limit $3 offset $4"
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(customer.as_uuid())
        .bind(reservation)
        .bind(limit)
        .bind(offset)
        .fetch_all(&mut *conn)
        .await?;
    let mut orders = Vec::with_capacity(rows.len());
    for row in &rows {
        orders.push(with_items(conn, row).await?);
    }
    Ok((orders, total))
}

/// Unpaid orders for which payment is still to be asked, in the order of their ids.
pub(crate) async fn without_intent(
    conn: &mut PgConnection,
    after: OrderId,
    limit: u16,
) -> DbResult<Vec<Order>> {
    let query = format!(
        "{COLUMNS} where payment_id is null and status in ('pending', 'processing')
             and order_id > $1 order by order_id limit $2"
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(after.as_uuid())
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| order(row, Vec::new())).collect()
}

/// Unpaid orders whose deadline has passed or whose performance was cancelled, and why they end.
pub(crate) async fn unpaid_past_deadline(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<(OrderId, CancelReason)>> {
    let rows: Vec<(Uuid, bool)> = sqlx::query_as(
        "select order_id, pay_until <= $1 from orders
         where status in ('pending', 'processing') and (pay_until <= $1 or exists (
             select from order_items join cancelled_performances using (performance_id)
             where order_items.order_id = orders.order_id))
         order by pay_until limit $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let reason = |late| {
        if late {
            CancelReason::PaymentTimeout
        } else {
            CancelReason::EventCancelled
        }
    };
    Ok(rows
        .into_iter()
        .map(|(id, late)| (OrderId(id), reason(late)))
        .collect())
}

async fn with_items(conn: &mut PgConnection, row: &PgRow) -> DbResult<Order> {
    let items = sqlx::query(
        "select performance_id, venue_id, seat_id, seat_label, bucket_id, zone, qty,
             price_category, currency, unit_amount, hold_id
         from order_items where order_id = $1 order by line",
    )
    .bind(row.try_get::<Uuid, _>("order_id")?)
    .fetch_all(conn)
    .await?;
    order(row, items.iter().map(item).collect::<DbResult<_>>()?)
}

fn order(row: &PgRow, items: Vec<Item>) -> DbResult<Order> {
    Ok(Order {
        id: OrderId(row.try_get("order_id")?),
        reservation_id: ReservationId(row.try_get("reservation_id")?),
        customer_id: UserId(row.try_get("customer_id")?),
        state: state(row)?,
        amount: money(row, "total_amount")?,
        items,
        pay_until: row.try_get("pay_until")?,
        payment_id: row.try_get::<Option<Uuid>, _>("payment_id")?.map(PaymentId),
        correlation: CorrelationId(row.try_get("correlation_id")?),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        version: row.try_get("version")?,
    })
}

fn state(row: &PgRow) -> DbResult<State> {
    let status: &str = row.try_get("status")?;
    let paid_at: Option<DateTime<Utc>> = row.try_get("paid_at")?;
    let reason: Option<&str> = row.try_get("cancelled_reason")?;
    match (status, paid_at, reason.and_then(CancelReason::parse)) {
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

fn item(row: &PgRow) -> DbResult<Item> {
    let qty: i32 = row.try_get("qty")?;
    let category: &str = row.try_get("price_category")?;
    Ok(Item {
        performance_id: row.try_get::<Uuid, _>("performance_id")?.into(),
        venue_id: row.try_get::<Uuid, _>("venue_id")?.into(),
        seat_id: row.try_get::<Option<Uuid>, _>("seat_id")?.map(Into::into),
        seat_label: row.try_get("seat_label")?,
        bucket_id: row.try_get::<Option<Uuid>, _>("bucket_id")?.map(Into::into),
        zone: row.try_get("zone")?,
        qty: u32::try_from(qty).map_err(DbError::impossible_row)?,
        price_category: category.parse().map_err(DbError::impossible_row)?,
        unit_price: money(row, "unit_amount")?,
        hold_id: row.try_get::<Uuid, _>("hold_id")?.into(),
    })
}

/// A `numeric` column with the row's `currency`.
pub(super) fn money(row: &PgRow, column: &str) -> DbResult<Money> {
    let currency: &str = row.try_get("currency")?;
    let currency = Currency::parse(currency).map_err(DbError::impossible_row)?;
    let amount: Decimal = row.try_get(column)?;
    Money::from_decimal(currency, amount).map_err(DbError::impossible_row)
}
