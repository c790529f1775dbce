//! What customers ask for.

use std::collections::HashSet;

use chrono::{DateTime, FixedOffset, Utc};
use eventify_contracts::event_management::PricedCategory;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, EventId, PerformanceId, SeatId, VenueId};
use eventify_protocol::token::CategoryCode;
use eventify_protocol::zone::TimeZone;
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::catalogue::model::{ChangedSeat, Performance, SeatState, Zone};

/// What a customer searches for; `None` matches everything.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// For `like`, against the title.
    pub(crate) title: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) tag: Option<String>,
    /// A performance begins then or later.
    pub(crate) from: DateTime<Utc>,
    /// A performance begins before.
    pub(crate) to: Option<DateTime<Utc>>,
}

/// An event in the list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventItem {
    event_id: EventId,
    title: String,
    city: Option<String>,
    tags: Vec<String>,
    next_performance: DateTime<Utc>,
    /// Of its venue.
    time_zone: TimeZone,
    next_performance_local: DateTime<FixedOffset>,
}

#[derive(FromRow)]
struct EventRow {
    event_id: EventId,
    title: String,
    city: Option<String>,
    tags: Vec<String>,
    next_performance: DateTime<Utc>,
    time_zone: Option<String>,
}

/// An event alone, as row and as JSON.
#[derive(Clone, Debug, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    event_id: EventId,
    title: String,
    description: String,
    city: Option<String>,
    tags: Vec<String>,
    pub(crate) status: String,
    published_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct PerformanceRow {
    performance_id: PerformanceId,
    venue_id: VenueId,
    venue_name: Option<String>,
    time_zone: Option<String>,
    start_time: DateTime<Utc>,
    doors_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    sales_opens_at: Option<DateTime<Utc>>,
    sales_closes_at: Option<DateTime<Utc>>,
    #[sqlx(json)]
    categories: Vec<PricedCategory>,
    cancelled: bool,
    sale_stopped: bool,
}

#[derive(FromRow)]
struct VersionRow {
    #[sqlx(flatten)]
    performance: PerformanceRow,
    version: i64,
    published: bool,
}

#[derive(FromRow)]
struct ZoneRow {
    bucket_id: BucketId,
    zone: String,
    #[sqlx(json)]
    categories: Vec<CategoryCode>,
    #[sqlx(try_from = "i32")]
    remaining: u32,
    #[sqlx(try_from = "i32")]
    capacity: u32,
}

/// The venue does not admit to a performance `p` as it is planned now.
macro_rules! declined {
    () => {
        "exists (select from catalogue.venue_words as word
                 where word.performance_id = p.performance_id
                     and word.declined > word.confirmed and word.declined >= p.version)"
    };
}

macro_rules! matching_events {
    () => {
        concat!(
            "select e.event_id, e.title, e.city, e.tags, min(p.start_time) as next_performance,
             (array_agg(v.time_zone order by p.start_time, p.performance_id))[1] as time_zone
         from catalogue.events e join catalogue.performances p using (event_id)
             left join catalogue.venues v using (venue_id)
         where e.status = 'published' and not p.cancelled and not ",
            declined!(),
            "
             and p.start_time >= $1 and ($2::timestamptz is null or p.start_time < $2)
             and ($3::text is null or unaccent(e.title) ilike unaccent($3))
             and ($4::text is null or lower(unaccent(e.city)) = lower(unaccent($4)))
             and ($5::text is null or e.tags @> array[lower($5)])
         group by e.event_id, e.title, e.city, e.tags"
        )
    };
}

macro_rules! select_performances {
    ($condition:literal) => {
        concat!(
            "select p.performance_id, p.venue_id, coalesce(v.name, p.venue_name) as venue_name,
                 v.time_zone, p.start_time, p.doors_at, p.ends_at, p.sales_opens_at, p.sales_closes_at,
                 p.categories, p.cancelled, ",
            declined!(),
            " as sale_stopped
             from catalogue.performances p left join catalogue.venues v using (venue_id) where ",
            $condition
        )
    };
}

/// Published events with a matching performance, the nearest first, and how many there are.
pub(crate) async fn list_events(
    conn: &mut PgConnection,
    filter: &Filter,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<EventItem>, i64)> {
    let items: Vec<EventRow> = sqlx::query_as(concat!(
        matching_events!(),
        " order by next_performance, e.event_id limit $6 offset $7"
    ))
    .bind(filter.from)
    .bind(filter.to)
    .bind(&filter.title)
    .bind(&filter.city)
    .bind(&filter.tag)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(concat!(
        "select count(*) from (",
        matching_events!(),
        ") as matching"
    ))
    .bind(filter.from)
    .bind(filter.to)
    .bind(&filter.title)
    .bind(&filter.city)
    .bind(&filter.tag)
    .fetch_one(conn)
    .await?;
    Ok((items.into_iter().map(EventItem::from).collect(), total))
}

/// An event that is or was published, if it is not archived.
pub(crate) async fn find_event(conn: &mut PgConnection, id: EventId) -> DbResult<Option<Event>> {
    let event = sqlx::query_as(
        "select event_id, title, description, city, tags, status, published_at
         from catalogue.events
         where event_id = $1 and published_at is not null and status in ('published', 'cancelled')",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(event)
}

/// An event's performances, by their beginning.
pub(crate) async fn list_performances(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Vec<Performance>> {
    let rows: Vec<PerformanceRow> = sqlx::query_as(select_performances!(
        "event_id = $1 order by start_time, performance_id"
    ))
    .bind(event)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Performance::from).collect())
}

/// A performance with the version of its map, and whether its event is published now. One statement:
/// every request for a map begins with it, whoever made the map.
pub(crate) async fn find_map_version(
    conn: &mut PgConnection,
    id: PerformanceId,
) -> DbResult<Option<(Performance, i64, bool)>> {
    let row: Option<VersionRow> = sqlx::query_as(concat!(
        "select p.performance_id, p.venue_id, p.venue_name, null as time_zone, p.start_time, p.doors_at,
             p.ends_at, p.sales_opens_at, p.sales_closes_at, p.categories, p.cancelled,
             ",
        declined!(),
        " as sale_stopped, coalesce(v.version, 0) as version, e.status = 'published' as published
         from catalogue.performances p
             join catalogue.events e on e.event_id = p.event_id
             left join catalogue.map_versions v on v.performance_id = p.performance_id
         where p.performance_id = $1
             and e.published_at is not null and e.status in ('published', 'cancelled')",
    ))
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.performance.into(), row.version, row.published)))
}

/// All seats of a performance, in the plan's order, in parts: each a JSON list of
/// [`LaidOutSeat`](eventify_contracts::inventory::LaidOutSeat). Reading a stadium's takes a while, and
/// is not done here, where the connection would wait for it.
pub(crate) async fn list_seating(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Vec<String>> {
    let parts = sqlx::query_scalar(
        "select seats::text from catalogue.seating where performance_id = $1 order by part",
    )
    .bind(performance)
    .fetch_all(conn)
    .await?;
    Ok(parts)
}

/// Whether all changes after a version are still known.
pub(crate) async fn knows_changes_since(
    conn: &mut PgConnection,
    performance: PerformanceId,
    since: i64,
) -> DbResult<bool> {
    let known = sqlx::query_scalar(
        "select exists (select from catalogue.map_versions
         where performance_id = $1 and known_since <= $2)",
    )
    .bind(performance)
    .bind(since)
    .fetch_one(conn)
    .await?;
    Ok(known)
}

/// The seats that were taken or freed after a version, as they are now.
pub(crate) async fn list_changed_seats(
    conn: &mut PgConnection,
    (performance, since): (PerformanceId, i64),
    limit: i64,
) -> DbResult<Vec<ChangedSeat>> {
    let rows: Vec<(SeatId, bool)> = sqlx::query_as(
        "select seat_id, bool_or(ended_at is null) from catalogue.seat_claims
         where performance_id = $1 and seat_id in (select seat_id from catalogue.seat_claims
             where performance_id = $1 and version > $2)
         group by seat_id order by seat_id limit $3",
    )
    .bind(performance)
    .bind(since)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    let seats = rows.into_iter().map(|(seat_id, taken)| ChangedSeat {
        seat_id,
        state: if taken {
            SeatState::Taken
        } else {
            SeatState::Available
        },
    });
    Ok(seats.collect())
}

/// The seats that are held or sold.
pub(crate) async fn list_taken_seats(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<HashSet<SeatId>> {
    let seats = sqlx::query_scalar(
        "select seat_id from catalogue.seat_claims
         where performance_id = $1 and ended_at is null",
    )
    .bind(performance)
    .fetch_all(conn)
    .await?;
    Ok(seats.into_iter().collect())
}

pub(crate) async fn list_zones(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Vec<Zone>> {
    let rows: Vec<ZoneRow> = sqlx::query_as(
        "select z.bucket_id, z.zone, to_jsonb(z.categories) as categories, l.remaining, l.capacity
         from catalogue.zones z join catalogue.zone_levels l using (performance_id, bucket_id)
         where z.performance_id = $1 order by z.position",
    )
    .bind(performance)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Zone::from).collect())
}

impl From<EventRow> for EventItem {
    fn from(row: EventRow) -> Self {
        let zone = TimeZone::or_utc(row.time_zone.as_deref());
        Self {
            event_id: row.event_id,
            title: row.title,
            city: row.city,
            tags: row.tags,
            next_performance: row.next_performance,
            time_zone: zone,
            next_performance_local: zone.local(row.next_performance),
        }
    }
}

impl From<PerformanceRow> for Performance {
    fn from(row: PerformanceRow) -> Self {
        Self {
            performance_id: row.performance_id,
            start_time: row.start_time,
            doors_at: row.doors_at,
            ends_at: row.ends_at,
            sales_opens_at: row.sales_opens_at,
            sales_closes_at: row.sales_closes_at,
            venue_id: row.venue_id,
            venue_name: row.venue_name,
            time_zone: TimeZone::or_utc(row.time_zone.as_deref()),
            cancelled: row.cancelled,
            sale_stopped: row.sale_stopped,
            categories: row.categories,
        }
    }
}

impl From<ZoneRow> for Zone {
    fn from(row: ZoneRow) -> Self {
        Self {
            bucket_id: row.bucket_id,
            zone: row.zone,
            remaining: row.remaining,
            capacity: row.capacity,
            categories: row.categories,
        }
    }
}
