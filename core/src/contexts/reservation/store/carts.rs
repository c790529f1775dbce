//! Reservations with their items.

use chrono::{DateTime, Utc};
use eventify_contracts::reservation::{EndReason, Item};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{
    BucketId, CorrelationId, HoldId, PerformanceId, ReservationId, SeatId, UserId, VenueId,
};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::reservation::model::{CartItem, Reservation, State};

#[derive(Debug, FromRow, Serialize)]
struct CartRow {
    reservation_id: ReservationId,
    customer_id: UserId,
    status: String,
    expires_at: DateTime<Utc>,
    ended_reason: Option<String>,
    correlation_id: CorrelationId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
    seller_id: Option<UserId>,
}

#[derive(Debug, FromRow, Serialize)]
struct ItemRow {
    item_id: Uuid,
    reservation_id: ReservationId,
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

macro_rules! select_carts {
    ($condition:literal) => {
        concat!(
            "select reservation_id, customer_id, status, expires_at, ended_reason, correlation_id,
                 created_at, updated_at, version, seller_id
             from reservation.reservations where ",
            $condition
        )
    };
}

pub(crate) async fn insert(conn: &mut PgConnection, cart: &Reservation) -> DbResult<()> {
    let row = CartRow::from(cart);
    insert_rows(conn, "insert into reservation.reservations", &[row], "").await?;
    Ok(())
}

/// How many open carts a customer has; those that a box office opened for them don't count. Nobody else opens one for them until the transaction ends,
/// so two simultaneous requests can't exceed the limit.
pub(crate) async fn count_open(
    conn: &mut PgConnection,
    customer: UserId,
    now: DateTime<Utc>,
) -> DbResult<u64> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text, 0))")
        .bind(customer)
        .execute(&mut *conn)
        .await?;
    let open: i64 = sqlx::query_scalar(
        "select count(*) from reservation.reservations
         where customer_id = $1 and status = 'pending' and expires_at > $2
             and seller_id is null",
    )
    .bind(customer)
    .bind(now)
    .fetch_one(conn)
    .await?;
    u64::try_from(open).map_err(DbError::impossible_row)
}

/// Writes state, deadline and version of a cart that this transaction has locked.
pub(crate) async fn update(conn: &mut PgConnection, cart: &Reservation) -> DbResult<()> {
    let (status, ended_reason) = status_of(cart.state);
    sqlx::query(
        "update reservation.reservations set status = $2, expires_at = $3, ended_reason = $4,
             updated_at = $5, version = $6 where reservation_id = $1",
    )
    .bind(cart.id)
    .bind(status)
    .bind(cart.expires_at)
    .bind(ended_reason)
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
    find_one(conn, select_carts!("reservation_id = $1"), id).await
}

/// Finds a cart; nobody else changes it until the transaction ends.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    id: ReservationId,
) -> DbResult<Option<Reservation>> {
    find_one(conn, select_carts!("reservation_id = $1 for update"), id).await
}

async fn find_one(
    conn: &mut PgConnection,
    query: &'static str,
    id: ReservationId,
) -> DbResult<Option<Reservation>> {
    let cart = sqlx::query_as(query).bind(id);
    let cart: Option<CartRow> = cart.fetch_optional(&mut *conn).await?;
    let Some(cart) = cart else { return Ok(None) };
    let items: Vec<ItemRow> = sqlx::query_as(
        "select item_id, reservation_id, performance_id, venue_id, seat_id, seat_label, bucket_id,
             zone, qty, price_category, currency, unit_amount, hold_id
         from reservation.reservation_items where reservation_id = $1 order by item_id",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    let items = items.into_iter().map(CartItem::try_from);
    Ok(Some(Reservation {
        state: cart.state()?,
        id: cart.reservation_id,
        customer_id: cart.customer_id,
        seller_id: cart.seller_id,
        expires_at: cart.expires_at,
        items: items.collect::<DbResult<_>>()?,
        correlation: cart.correlation_id,
        created_at: cart.created_at,
        updated_at: cart.updated_at,
        version: cart.version,
    }))
}

pub(crate) async fn insert_items(
    conn: &mut PgConnection,
    id: ReservationId,
    lines: &[CartItem],
) -> DbResult<()> {
    let rows: Vec<_> = lines.iter().map(|line| ItemRow::new(id, line)).collect();
    insert_rows(conn, "insert into reservation.reservation_items", &rows, "").await?;
    Ok(())
}

pub(crate) async fn delete_item(conn: &mut PgConnection, item_id: Uuid) -> DbResult<()> {
    sqlx::query("delete from reservation.reservation_items where item_id = $1")
        .bind(item_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Pending carts whose time has passed or whose performance was cancelled.
pub(crate) async fn list_overdue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<ReservationId>> {
    let ids = sqlx::query_scalar(
        "select reservation_id from reservation.reservations as cart
         where status = 'pending' and (expires_at <= $1 or exists (
             select from reservation.reservation_items as item
             join reservation.cancelled_performances using (performance_id)
             where item.reservation_id = cart.reservation_id))
         order by expires_at limit $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

impl From<&Reservation> for CartRow {
    fn from(cart: &Reservation) -> Self {
        let (status, ended_reason) = status_of(cart.state);
        Self {
            reservation_id: cart.id,
            customer_id: cart.customer_id,
            status: status.to_owned(),
            expires_at: cart.expires_at,
            ended_reason: ended_reason.map(str::to_owned),
            correlation_id: cart.correlation,
            created_at: cart.created_at,
            updated_at: cart.updated_at,
            version: cart.version,
            seller_id: cart.seller_id,
        }
    }
}

fn status_of(state: State) -> (&'static str, Option<&'static str>) {
    match state {
        State::Pending => ("pending", None),
        State::Confirmed => ("confirmed", None),
        State::Expired => ("expired", Some("expired")),
        State::Cancelled(reason) => ("cancelled", Some(reason.name())),
    }
}

impl CartRow {
    fn state(&self) -> DbResult<State> {
        let reason = self.ended_reason.as_deref().and_then(EndReason::parse);
        match (self.status.as_str(), reason) {
            ("pending", None) => Ok(State::Pending),
            ("confirmed", None) => Ok(State::Confirmed),
            ("expired", Some(_)) => Ok(State::Expired),
            ("cancelled", Some(reason)) => Ok(State::Cancelled(reason)),
            (status, _) => Err(DbError::impossible_row(format!(
                "reservation {status} {reason:?}"
            ))),
        }
    }
}

impl ItemRow {
    fn new(reservation_id: ReservationId, CartItem { item_id, item }: &CartItem) -> Self {
        Self {
            item_id: *item_id,
            reservation_id,
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

impl TryFrom<ItemRow> for CartItem {
    type Error = DbError;

    fn try_from(row: ItemRow) -> DbResult<Self> {
        let category = row.price_category.parse();
        Ok(Self {
            item_id: row.item_id,
            item: Item {
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
            },
        })
    }
}
