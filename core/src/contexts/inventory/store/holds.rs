//! Holds: their rows, not their places.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{HoldId, OrderId, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::inventory::model::hold::HoldRequest;
use crate::contexts::inventory::model::state::{Hold, HoldStatus};

#[derive(FromRow)]
struct HoldRow {
    hold_id: HoldId,
    status: String,
    request_hash: Option<Vec<u8>>,
    expires_at: Option<DateTime<Utc>>,
    owner_id: Option<Uuid>,
    customer_id: Option<UserId>,
    order_id: Option<OrderId>,
}

macro_rules! select_holds {
    ($condition:literal) => {
        concat!(
            "select hold_id, status, request_hash, expires_at, owner_id, customer_id, order_id
             from inventory.holds where ",
            $condition
        )
    };
}

/// Inserts a new hold; false when its id is known.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    request: &HoldRequest,
    holder: Option<Uuid>,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into inventory.holds (hold_id, performance_id, status, request_hash, holder_id,
             expires_at, created_at, updated_at, version, owner_id, customer_id, seller_id)
         values ($1, $2, 'held', $3, $4, $5, $6, $6, 1, $7, $8, $9)
         on conflict do nothing",
    )
    .bind(request.hold)
    .bind(request.performance)
    .bind(request.fingerprint().0.as_slice())
    .bind(holder)
    .bind(request.expires_at)
    .bind(now)
    .bind(request.owner)
    .bind(request.customer.map(|customer| customer.id))
    .bind(request.customer.and_then(|customer| customer.seller))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn find(conn: &mut PgConnection, id: HoldId) -> DbResult<Option<Hold>> {
    let row: Option<HoldRow> = sqlx::query_as(select_holds!("hold_id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.map(Hold::try_from).transpose()
}

/// Locks these holds, in order.
pub(crate) async fn lock(conn: &mut PgConnection, ids: &[HoldId]) -> DbResult<Vec<Hold>> {
    let rows: Vec<HoldRow> = sqlx::query_as(select_holds!(
        "hold_id = any($1) order by hold_id for update"
    ))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Hold::try_from).collect()
}

/// Locks what a cart has not lost or sold, in order.
pub(crate) async fn lock_of_owner(conn: &mut PgConnection, owner: Uuid) -> DbResult<Vec<Hold>> {
    let rows: Vec<HoldRow> = sqlx::query_as(select_holds!(
        "owner_id = $1 and status in ('held', 'confirmed') order by hold_id for update"
    ))
    .bind(owner)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Hold::try_from).collect()
}

/// Locks expired holds, except those that another transaction has locked.
pub(crate) async fn lock_expired(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<HoldId>> {
    let ids = sqlx::query_scalar(
        "select hold_id from inventory.holds where status = 'held' and expires_at <= $1
         order by hold_id limit $2 for update skip locked",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// The service account that took a hold over HTTP.
pub(crate) async fn find_holder(conn: &mut PgConnection, id: HoldId) -> DbResult<Option<Uuid>> {
    let holder: Option<Option<Uuid>> =
        sqlx::query_scalar("select holder_id from inventory.holds where hold_id = $1")
            .bind(id)
            .fetch_optional(conn)
            .await?;
    Ok(holder.flatten())
}

/// The version of a hold after the changes of this transaction.
pub(crate) async fn version(conn: &mut PgConnection, id: HoldId) -> DbResult<i32> {
    let version = sqlx::query_scalar("select version from inventory.holds where hold_id = $1")
        .bind(id)
        .fetch_one(conn)
        .await?;
    Ok(version)
}

/// Binds locked holds to a confirmed reservation: they no longer expire by themselves.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    ids: &[HoldId],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update inventory.holds set status = 'confirmed', expires_at = $2, updated_at = $3,
             version = version + 1
         where hold_id = any($1)",
    )
    .bind(ids)
    .bind(until)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update inventory.seat_allocations set expires_at = $2 where hold_id = any($1)")
        .bind(ids)
        .bind(until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks locked holds as sold.
pub(crate) async fn sell(
    conn: &mut PgConnection,
    ids: &[HoldId],
    order: OrderId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update inventory.holds set status = 'sold', order_id = $2, updated_at = $3,
             version = version + 1
         where hold_id = any($1)",
    )
    .bind(ids)
    .bind(order)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update inventory.seat_allocations set hold_active = false, expires_at = null
         where hold_id = any($1)",
    )
    .bind(ids)
    .execute(conn)
    .await?;
    Ok(())
}

impl TryFrom<HoldRow> for Hold {
    type Error = DbError;

    fn try_from(row: HoldRow) -> DbResult<Self> {
        let status = HoldStatus::parse(&row.status);
        let hash = row.request_hash.map(TryInto::try_into).transpose();
        Ok(Self {
            id: row.hold_id,
            status: status
                .ok_or_else(|| DbError::impossible_row(format!("hold is {}", row.status)))?,
            fingerprint: hash
                .map_err(|_| DbError::impossible_row("hash length"))?
                .map(Hash32),
            expires_at: row.expires_at,
            owner: row.owner_id,
            customer: row.customer_id,
            order: row.order_id,
        })
    }
}
