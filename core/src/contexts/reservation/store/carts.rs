//! Reservations with their items.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, CorrelationId, ReservationId, SeatId, UserId};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::contexts::reservation::model::{CartItem, Reservation, State};
use eventify_contracts::reservation::{EndReason, Item};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const COLUMNS: &str = "select reservation_id, customer_id, status, expires_at, ended_reason, \
    correlation_id, created_at, updated_at, version from reservations";

pub(crate) async fn insert(conn: &mut PgConnection, cart: &Reservation) -> DbResult<()> {
    sqlx::query(
        "insert into reservations (reservation_id, customer_id, status, expires_at,
             correlation_id, created_at, updated_at, version)
         values ($1, $2, 'pending', $3, $4, $5, $6, $7)",
    )
    .bind(cart.id.as_uuid())
    .bind(cart.customer_id.as_uuid())
    .bind(cart.expires_at)
    .bind(cart.correlation.as_uuid())
    .bind(cart.created_at)
    .bind(cart.updated_at)
    .bind(cart.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// How many carts a customer has open. Until the transaction's end nobody else opens one for them,
/// so that two requests at once don't both find room.
pub(crate) async fn open_carts(
    conn: &mut PgConnection,
    customer: UserId,
    now: DateTime<Utc>,
) -> DbResult<u64> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text, 0))")
        .bind(customer.as_uuid())
        .execute(&mut *conn)
        .await?;
    let open: i64 = sqlx::query_scalar(
        "select count(*) from reservations
         where customer_id = $1 and status = 'pending' and expires_at > $2",
    )
    .bind(customer.as_uuid())
    .bind(now)
    .fetch_one(conn)
    .await?;
    u64::try_from(open).map_err(DbError::impossible_row)
}

/// Writes state, deadline and version of a cart that this transaction has locked.
pub(crate) async fn save(conn: &mut PgConnection, cart: &Reservation) -> DbResult<()> {
    let (status, reason) = words(cart.state);
    sqlx::query(
        "update reservations set status = $2, expires_at = $3, ended_reason = $4,
             updated_at = $5, version = $6 where reservation_id = $1",
    )
    .bind(cart.id.as_uuid())
    .bind(status)
    .bind(cart.expires_at)
    .bind(reason)
    .bind(cart.updated_at)
    .bind(cart.version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    id: ReservationId,
) -> DbResult<Option<Reservation>> {
    load(conn, id, "").await
}

/// Reads it and keeps everybody else from changing it until the transaction ends.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    id: ReservationId,
) -> DbResult<Option<Reservation>> {
    load(conn, id, "for update").await
}

async fn load(
    conn: &mut PgConnection,
    id: ReservationId,
    locking: &'static str,
) -> DbResult<Option<Reservation>> {
    let query = format!("{COLUMNS} where reservation_id = $1 {locking}");
    let row = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(id.as_uuid())
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let items = sqlx::query(
        "select item_id, performance_id, venue_id, seat_id, seat_label, bucket_id, zone, qty,
             price_category, currency, unit_amount, hold_id
         from reservation_items where reservation_id = $1 order by item_id",
    )
    .bind(id.as_uuid())
    .fetch_all(conn)
    .await?;
    let items = items.iter().map(item).collect::<DbResult<_>>()?;
    Ok(Some(cart(&row, items)?))
}

pub(crate) async fn add_items(
    conn: &mut PgConnection,
    id: ReservationId,
    lines: &[CartItem],
) -> DbResult<()> {
    for CartItem { item_id, item } in lines {
        sqlx::query(
            "insert into reservation_items (item_id, reservation_id, performance_id, venue_id,
                 seat_id, seat_label, bucket_id, zone, qty, price_category, currency,
                 unit_amount, hold_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(item_id)
        .bind(id.as_uuid())
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
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(crate) async fn remove_item(conn: &mut PgConnection, item_id: Uuid) -> DbResult<()> {
    sqlx::query("delete from reservation_items where item_id = $1")
        .bind(item_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Pending carts whose time has passed, and those with a place at a cancelled performance.
pub(crate) async fn overdue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<ReservationId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select reservation_id from reservations
         where status = 'pending' and (expires_at <= $1 or exists (
             select from reservation_items join cancelled_performances using (performance_id)
             where reservation_items.reservation_id = reservations.reservation_id))
         order by expires_at limit $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(ReservationId).collect())
}

fn cart(row: &PgRow, items: Vec<CartItem>) -> DbResult<Reservation> {
    let state = state(row.try_get("status")?, row.try_get("ended_reason")?)?;
    Ok(Reservation {
        id: ReservationId(row.try_get("reservation_id")?),
        customer_id: row.try_get::<Uuid, _>("customer_id")?.into(),
        state,
        expires_at: row.try_get("expires_at")?,
        items,
        correlation: CorrelationId(row.try_get("correlation_id")?),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        version: row.try_get("version")?,
    })
}

fn item(row: &PgRow) -> DbResult<CartItem> {
    let currency: &str = row.try_get("currency")?;
    let currency = Currency::parse(currency).map_err(DbError::impossible_row)?;
    let amount: Decimal = row.try_get("unit_amount")?;
    let category: &str = row.try_get("price_category")?;
    let qty: i32 = row.try_get("qty")?;
    Ok(CartItem {
        item_id: row.try_get("item_id")?,
        item: Item {
            performance_id: row.try_get::<Uuid, _>("performance_id")?.into(),
            venue_id: row.try_get::<Uuid, _>("venue_id")?.into(),
            seat_id: row.try_get::<Option<Uuid>, _>("seat_id")?.map(Into::into),
            seat_label: row.try_get("seat_label")?,
            bucket_id: row.try_get::<Option<Uuid>, _>("bucket_id")?.map(Into::into),
            zone: row.try_get("zone")?,
            qty: u32::try_from(qty).map_err(DbError::impossible_row)?,
            price_category: category.parse().map_err(DbError::impossible_row)?,
            unit_price: Money::from_decimal(currency, amount).map_err(DbError::impossible_row)?,
            hold_id: row.try_get::<Uuid, _>("hold_id")?.into(),
        },
    })
}

fn words(state: State) -> (&'static str, Option<&'static str>) {
    match state {
        State::Pending => ("pending", None),
        State::Confirmed => ("confirmed", None),
        State::Expired => ("expired", Some("expired")),
        State::Cancelled(reason) => ("cancelled", Some(reason.name())),
    }
}

fn state(status: &str, reason: Option<&str>) -> DbResult<State> {
    match (status, reason.and_then(EndReason::parse)) {
        ("pending", None) => Ok(State::Pending),
        ("confirmed", None) => Ok(State::Confirmed),
        ("expired", Some(_)) => Ok(State::Expired),
        ("cancelled", Some(reason)) => Ok(State::Cancelled(reason)),
        (status, _) => Err(DbError::impossible_row(format!(
            "reservation {status} {reason:?}"
        ))),
    }
}
