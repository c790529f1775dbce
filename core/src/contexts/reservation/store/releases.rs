//! What inventory is still to be told to give back.

use chrono::{DateTime, Duration, Utc};
use eventify_protocol::ids::{BucketId, CorrelationId, HoldId, SeatId};
use sqlx::Row;
use uuid::Uuid;

use crate::contexts::reservation::model::Reservation;
use eventify_contracts::reservation::Item;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// A whole hold, or the places of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// Idempotency key.
    pub(crate) id: Uuid,
    pub(crate) hold: HoldId,
    pub(crate) part: Option<Part>,
    /// The cart that a part is taken out of.
    pub(crate) owner: Option<Uuid>,
    pub(crate) correlation: CorrelationId,
}

/// The places of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Seat(SeatId),
    Bucket(BucketId, u32),
}

impl Release {
    pub(crate) fn whole(hold: HoldId, correlation: CorrelationId) -> Self {
        Self {
            id: hold.as_uuid(),
            hold,
            part: None,
            owner: None,
            correlation,
        }
    }

    /// `None` for an item without a place, which can't exist.
    pub(crate) fn of_item(
        item_id: Uuid,
        item: &Item,
        cart: &Reservation,
        correlation: CorrelationId,
    ) -> Option<Self> {
        let part = match (item.seat_id, item.bucket_id) {
            (Some(seat), _) => Part::Seat(seat),
            (None, Some(bucket)) => Part::Bucket(bucket, item.qty),
            (None, None) => return None,
        };
        Some(Self {
            id: item_id,
            hold: item.hold_id,
            part: Some(part),
            owner: Some(cart.id.as_uuid()),
            correlation,
        })
    }
}

pub(crate) async fn enqueue(
    conn: &mut PgConnection,
    release: &Release,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let (seat, bucket, qty) = match release.part {
        None => (None, None, None),
        Some(Part::Seat(seat)) => (Some(seat.as_uuid()), None, Some(1)),
        Some(Part::Bucket(bucket, qty)) => {
            let qty = i32::try_from(qty).map_err(DbError::impossible_row)?;
            (None, Some(bucket.as_uuid()), Some(qty))
        }
    };
    sqlx::query(
        "insert into releases (release_id, hold_id, seat_id, bucket_id, qty, due_at,
             correlation_id, owner_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
    )
    .bind(release.id)
    .bind(release.hold.as_uuid())
    .bind(seat)
    .bind(bucket)
    .bind(qty)
    .bind(now)
    .bind(release.correlation.as_uuid())
    .bind(release.owner)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<Release>> {
    let rows = sqlx::query(
        "select release_id, hold_id, seat_id, bucket_id, qty, correlation_id, owner_id
         from releases
         where due_at <= $1 order by due_at limit $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let seat: Option<Uuid> = row.try_get("seat_id")?;
            let bucket: Option<Uuid> = row.try_get("bucket_id")?;
            let qty: Option<i32> = row.try_get("qty")?;
            let qty = u32::try_from(qty.unwrap_or_default()).map_err(DbError::impossible_row)?;
            let part = seat
                .map(|seat| Part::Seat(seat.into()))
                .or(bucket.map(|bucket| Part::Bucket(bucket.into(), qty)));
            Ok(Release {
                id: row.try_get("release_id")?,
                hold: row.try_get::<Uuid, _>("hold_id")?.into(),
                part,
                owner: row.try_get("owner_id")?,
                correlation: CorrelationId(row.try_get("correlation_id")?),
            })
        })
        .collect()
}

pub(crate) async fn done(conn: &mut PgConnection, id: Uuid) -> DbResult<()> {
    sqlx::query("delete from releases where release_id = $1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Inventory didn't answer; again after a pause.
pub(crate) async fn postpone(
    conn: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("update releases set due_at = $2 where release_id = $1")
        .bind(id)
        .bind(now + Duration::seconds(5))
        .execute(conn)
        .await?;
    Ok(())
}
