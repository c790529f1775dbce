//! What is left of the places that a request names, read without locks.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId};
use eventify_protocol::token::CategoryCode;
use sqlx::FromRow;

use super::venue_words::declined;
use crate::contexts::inventory::model::hold::{HoldRequest, SeatRef};
use crate::contexts::inventory::model::stock::{BucketStock, OnSale, SeatState, SeatStock, Stock};

#[derive(FromRow)]
struct SeatRow {
    seat_id: SeatId,
    label: String,
    #[sqlx(json)]
    categories: Vec<CategoryCode>,
    blocked: bool,
    hold_id: Option<HoldId>,
    expired: bool,
}

#[derive(FromRow)]
struct BucketRow {
    bucket_id: BucketId,
    zone: String,
    #[sqlx(json)]
    categories: Vec<CategoryCode>,
    #[sqlx(try_from = "i64")]
    slots: u32,
    #[sqlx(try_from = "i64")]
    remaining: u32,
}

pub(crate) async fn find_on_sale(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<OnSale>> {
    let row = sqlx::query_as(concat!(
        "select p.venue_id, coalesce(e.open, false),
             exists (select from inventory.cancelled_performances c
                 where c.performance_id = p.performance_id),
             exists (select from inventory.venue_words as word
                 where word.performance_id = p.performance_id and ",
        declined!(),
        ")
         from inventory.performances p left join inventory.published_events e using (event_id)
         where p.performance_id = $1",
    ))
    .bind(performance)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(venue, published, cancelled, declined)| OnSale {
        venue,
        published,
        cancelled,
        declined,
    }))
}

/// The places that a request names.
pub(crate) async fn list(
    conn: &mut PgConnection,
    request: &HoldRequest,
    now: DateTime<Utc>,
) -> DbResult<Stock> {
    let seats = if request.seats.is_empty() {
        vec![]
    } else {
        list_seats(conn, request, now).await?
    };
    let buckets = if request.buckets.is_empty() {
        vec![]
    } else {
        list_buckets(conn, request).await?
    };
    Ok(Stock { seats, buckets })
}

async fn list_seats(
    conn: &mut PgConnection,
    request: &HoldRequest,
    now: DateTime<Utc>,
) -> DbResult<Vec<SeatStock>> {
    let (mut ids, mut labels) = (Vec::new(), Vec::new());
    for wanted in &request.seats {
        match &wanted.seat {
            SeatRef::Id(id) => ids.push(*id),
            SeatRef::Label(label) => labels.push(label.as_str()),
        }
    }
    let rows: Vec<SeatRow> = sqlx::query_as(
        "select s.seat_id, s.label, to_jsonb(s.categories) as categories, s.blocked, a.hold_id,
             coalesce(h.status = 'held' and h.expires_at <= $4, false) as expired
         from inventory.performance_seats s
             left join inventory.seat_allocations a using (performance_id, seat_id)
             left join inventory.holds h using (hold_id)
         where s.performance_id = $1 and (s.seat_id = any($2) or s.label = any($3))",
    )
    .bind(request.performance)
    .bind(ids)
    .bind(labels)
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(SeatStock::from).collect())
}

async fn list_buckets(
    conn: &mut PgConnection,
    request: &HoldRequest,
) -> DbResult<Vec<BucketStock>> {
    let ids: Vec<_> = request.units().into_keys().collect();
    let rows: Vec<BucketRow> = sqlx::query_as(
        "select b.bucket_id, b.zone, to_jsonb(b.categories) as categories, count(*) as slots,
             sum(s.capacity - s.reserved) as remaining
         from inventory.performance_buckets b
             join inventory.bucket_slots s using (performance_id, bucket_id)
         where b.performance_id = $1 and b.bucket_id = any($2)
         group by b.bucket_id, b.zone, b.categories",
    )
    .bind(request.performance)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(BucketStock::from).collect())
}

impl From<SeatRow> for SeatStock {
    fn from(row: SeatRow) -> Self {
        let state = match (row.blocked, row.hold_id) {
            (true, _) => SeatState::Blocked,
            (false, Some(hold)) if row.expired => SeatState::Expired(hold),
            (false, Some(_)) => SeatState::Taken,
            (false, None) => SeatState::Free,
        };
        Self {
            id: row.seat_id,
            label: row.label,
            allowed: row.categories,
            state,
        }
    }
}

impl From<BucketRow> for BucketStock {
    fn from(row: BucketRow) -> Self {
        Self {
            id: row.bucket_id,
            zone: row.zone,
            allowed: row.categories,
            slots: row.slots,
            remaining: row.remaining,
        }
    }
}
