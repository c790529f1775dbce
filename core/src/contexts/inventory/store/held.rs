//! What a hold has at the moment.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId};
use eventify_protocol::token::CategoryCode;

/// A hold with its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldPlaces {
    pub(crate) performance: PerformanceId,
    pub(crate) status: String,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) seats: Vec<(SeatId, String, Vec<CategoryCode>)>,
    pub(crate) buckets: Vec<(BucketId, String, u32, Vec<CategoryCode>)>,
}

/// None: there is no such hold, or only its release has come.
pub(crate) async fn find(conn: &mut PgConnection, id: HoldId) -> DbResult<Option<HeldPlaces>> {
    let head: Option<(PerformanceId, String, DateTime<Utc>)> = sqlx::query_as(
        "select performance_id, status, expires_at from inventory.holds
         where hold_id = $1 and performance_id is not null and expires_at is not null",
    )
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((performance, status, expires_at)) = head else {
        return Ok(None);
    };
    let seats: Vec<(SeatId, String, Vec<String>)> = sqlx::query_as(
        "select seat_id, label, categories from inventory.seat_allocations
             join inventory.performance_seats using (performance_id, seat_id)
         where hold_id = $1 order by label",
    )
    .bind(id)
    .fetch_all(&mut *conn)
    .await?;
    let buckets: Vec<(BucketId, String, i64, Vec<String>)> = sqlx::query_as(
        "select bucket_id, zone, sum(quantity), categories from inventory.bucket_allocations
             join inventory.performance_buckets using (performance_id, bucket_id)
         where hold_id = $1 group by bucket_id, zone, categories order by zone",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    let seats = seats.into_iter();
    let seats = seats.map(|(id, label, codes)| Ok((id, label, categories(&codes)?)));
    let buckets = buckets.into_iter().map(|(id, zone, units, codes)| {
        let units = u32::try_from(units).map_err(DbError::impossible_row)?;
        Ok((id, zone, units, categories(&codes)?))
    });
    Ok(Some(HeldPlaces {
        performance,
        status,
        expires_at,
        seats: seats.collect::<DbResult<_>>()?,
        buckets: buckets.collect::<DbResult<_>>()?,
    }))
}

fn categories(codes: &[String]) -> DbResult<Vec<CategoryCode>> {
    let codes = codes.iter().map(|code| code.parse());
    codes
        .collect::<Result<_, _>>()
        .map_err(DbError::impossible_row)
}
