//! What is left of the places that a request names, read without locks.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId, VenueId};
use sqlx::Row;
use uuid::Uuid;

use super::{codes, count};
use crate::contexts::inventory::model::hold::{HoldRequest, SeatRef};
use crate::contexts::inventory::model::stock::{
    BucketStock, HoldStatus, KnownHold, OnSale, SeatState, SeatStock, Stock,
};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

pub(crate) async fn on_sale(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<OnSale>> {
    let row: Option<(Uuid, bool, bool)> = sqlx::query_as(
        "select p.venue_id, coalesce(e.open, false),
             exists (select from cancelled_performances c where c.performance_id = p.performance_id)
         from performances p left join published_events e using (event_id)
         where p.performance_id = $1",
    )
    .bind(performance.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(venue, published, cancelled)| OnSale {
        venue: VenueId(venue),
        published,
        cancelled,
    }))
}

/// The places that a request names.
pub(crate) async fn of(
    conn: &mut PgConnection,
    request: &HoldRequest,
    now: DateTime<Utc>,
) -> DbResult<Stock> {
    let seats = if request.seats.is_empty() {
        vec![]
    } else {
        seats(conn, request, now).await?
    };
    let buckets = if request.buckets.is_empty() {
        vec![]
    } else {
        let ids: Vec<_> = request.units().into_keys().collect();
        buckets(conn, request.performance, &ids).await?
    };
    Ok(Stock { seats, buckets })
}

async fn seats(
    conn: &mut PgConnection,
    request: &HoldRequest,
    now: DateTime<Utc>,
) -> DbResult<Vec<SeatStock>> {
    let (mut ids, mut labels) = (Vec::new(), Vec::new());
    for wanted in &request.seats {
        match &wanted.seat {
            SeatRef::Id(id) => ids.push(id.as_uuid()),
            SeatRef::Label(label) => labels.push(label.as_str()),
        }
    }
    let rows = sqlx::query(
        "select s.seat_id, s.label, s.categories, s.blocked, a.hold_id,
             coalesce(h.status = 'held' and h.expires_at <= $4, false) as lapsed
         from performance_seats s
             left join seat_allocations a using (performance_id, seat_id)
             left join holds h using (hold_id)
         where s.performance_id = $1 and (s.seat_id = any($2) or s.label = any($3))",
    )
    .bind(request.performance.as_uuid())
    .bind(ids)
    .bind(labels)
    .bind(now)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let hold: Option<Uuid> = row.try_get("hold_id")?;
            let state = match (row.try_get("blocked")?, hold, row.try_get("lapsed")?) {
                (true, _, _) => SeatState::Blocked,
                (false, Some(hold), true) => SeatState::Lapsed(HoldId(hold)),
                (false, Some(_), false) => SeatState::Taken,
                (false, None, _) => SeatState::Free,
            };
            Ok(SeatStock {
                id: SeatId(row.try_get("seat_id")?),
                label: row.try_get("label")?,
                allowed: codes(&row.try_get::<Vec<String>, _>("categories")?)?,
                state,
            })
        })
        .collect()
}

async fn buckets(
    conn: &mut PgConnection,
    performance: PerformanceId,
    ids: &[BucketId],
) -> DbResult<Vec<BucketStock>> {
    let rows: Vec<(Uuid, String, Vec<String>, i64, i64)> = sqlx::query_as(
        "select b.bucket_id, b.zone, b.categories, count(*), sum(s.capacity - s.reserved)
         from performance_buckets b join bucket_slots s using (performance_id, bucket_id)
         where b.performance_id = $1 and b.bucket_id = any($2)
         group by b.bucket_id, b.zone, b.categories",
    )
    .bind(performance.as_uuid())
    .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, zone, categories, slots, remaining)| {
            Ok(BucketStock {
                id: BucketId(id),
                zone,
                allowed: codes(&categories)?,
                slots: count(slots)?,
                remaining: count(remaining)?,
            })
        })
        .collect()
}

/// A hold by its id.
pub(crate) async fn hold(conn: &mut PgConnection, id: HoldId) -> DbResult<Option<KnownHold>> {
    let row = sqlx::query("select status, request_hash, expires_at from holds where hold_id = $1")
        .bind(id.as_uuid())
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        let status: String = row.try_get("status")?;
        let hash: Option<Vec<u8>> = row.try_get("request_hash")?;
        let fingerprint = hash.map(|bytes| {
            bytes
                .try_into()
                .map(Hash32)
                .map_err(|_| DbError::impossible_row("hash length"))
        });
        Ok(KnownHold {
            status: status_of(&status)?,
            fingerprint: fingerprint.transpose()?,
            expires_at: row.try_get("expires_at")?,
        })
    })
    .transpose()
}

/// The service account that took a hold over HTTP.
pub(crate) async fn holder(conn: &mut PgConnection, id: HoldId) -> DbResult<Option<Uuid>> {
    let holder: Option<Option<Uuid>> =
        sqlx::query_scalar("select holder_id from holds where hold_id = $1")
            .bind(id.as_uuid())
            .fetch_optional(conn)
            .await?;
    Ok(holder.flatten())
}

pub(super) fn status_of(name: &str) -> DbResult<HoldStatus> {
    HoldStatus::parse(name).ok_or_else(|| DbError::impossible_row(format!("hold status {name}")))
}
