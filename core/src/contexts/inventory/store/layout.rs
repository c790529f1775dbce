//! A performance's own seats and slots, created when it is scheduled.

use eventify_contracts::event_management::PerformanceScheduled;
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};
use eventify_protocol::zone::TimeZone;
use serde_json::json;

use super::{column, int, joined};
use crate::contexts::inventory::model::layout::Layout;
use crate::contexts::inventory::model::plan::{Seat, Zone};
use crate::contexts::inventory::model::slots;
use crate::contexts::inventory::model::venue::Owner;

/// Inserts a performance; false when it is known.
pub(crate) async fn insert_performance(
    conn: &mut PgConnection,
    scheduled: &PerformanceScheduled,
) -> DbResult<bool> {
    let row = json!({
        "performance_id": scheduled.performance_id,
        "event_id": scheduled.facts.event_id,
        "venue_id": scheduled.facts.venue_id,
        "seating_plan_id": scheduled.facts.seating_plan_id,
        "owner_id": scheduled.facts.owner_id,
        "org_id": scheduled.facts.org_id,
        "availability_version": 1,
    });
    let insert = "insert into inventory.performances";
    Ok(insert_rows(conn, insert, &[row], "on conflict do nothing").await? == 1)
}

/// The owner of a performance's event.
pub(crate) async fn find_owner(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<Owner>> {
    let row = sqlx::query_as(
        "select owner_id, org_id from inventory.performances where performance_id = $1",
    )
    .bind(performance)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(user_id, org_id)| Owner { user_id, org_id }))
}

/// Inserts a performance's seats and zones.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    performance: PerformanceId,
    layout: &Layout,
) -> DbResult<()> {
    insert_seats(conn, performance, &layout.seats).await?;
    insert_zones(conn, performance, &layout.zones).await
}

async fn insert_seats(
    conn: &mut PgConnection,
    performance: PerformanceId,
    seats: &[Seat],
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.performance_seats
             (performance_id, seat_id, label, section, categories, blocked)
         select $1, seat_id, label, section, string_to_array(categories, ','), blocked
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bool[])
             as seat (seat_id, label, section, categories, blocked)",
    )
    .bind(performance)
    .bind(column(seats, |seat| seat.id))
    .bind(column(seats, |seat| seat.label.as_str()))
    .bind(column(seats, |seat| seat.section.as_str()))
    .bind(column(seats, |seat| joined(&seat.categories)))
    .bind(column(seats, |seat| seat.blocked))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_zones(
    conn: &mut PgConnection,
    performance: PerformanceId,
    zones: &[Zone],
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.performance_buckets (performance_id, bucket_id, zone, categories)
         select $1, bucket_id, zone, string_to_array(categories, ',')
         from unnest($2::uuid[], $3::text[], $4::text[]) as zone (bucket_id, zone, categories)",
    )
    .bind(performance)
    .bind(column(zones, |zone| zone.id))
    .bind(column(zones, |zone| zone.zone.as_str()))
    .bind(column(zones, |zone| joined(&zone.categories)))
    .execute(&mut *conn)
    .await?;
    let (mut buckets, mut numbers, mut capacities) = (Vec::new(), Vec::new(), Vec::new());
    for zone in zones {
        for slot in slots::split(zone.capacity) {
            buckets.push(zone.id);
            numbers.push(slot.slot);
            capacities.push(int(slot.capacity)?);
        }
    }
    sqlx::query(
        "insert into inventory.bucket_slots (performance_id, bucket_id, slot, capacity)
         select $1, bucket_id, slot, capacity
         from unnest($2::uuid[], $3::smallint[], $4::int[]) as slot (bucket_id, slot, capacity)",
    )
    .bind(performance)
    .bind(buckets)
    .bind(numbers)
    .bind(capacities)
    .execute(conn)
    .await?;
    Ok(())
}

/// Records whether an event's performances are on sale; the newest version wins.
pub(crate) async fn upsert_event(
    conn: &mut PgConnection,
    event: EventId,
    open: bool,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.published_events as known (event_id, open, version)
         values ($1, $2, $3)
         on conflict (event_id) do update set open = excluded.open, version = excluded.version
         where known.version < excluded.version",
    )
    .bind(event)
    .bind(open)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Where a performance takes place.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Place {
    pub(crate) venue_id: VenueId,
    /// It is cancelled.
    pub(crate) is_cancelled: bool,
    time_zone: Option<String>,
}

impl Place {
    pub(crate) fn time_zone(&self) -> TimeZone {
        TimeZone::or_utc(self.time_zone.as_deref())
    }
}

pub(crate) async fn find_place(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<Place>> {
    let found = sqlx::query_as(
        "select known.venue_id, venue.time_zone, exists (select from inventory.cancelled_performances as cancelled
             where cancelled.performance_id = known.performance_id) as is_cancelled
         from inventory.performances as known left join inventory.venues as venue using (venue_id)
         where known.performance_id = $1",
    )
    .bind(performance)
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Ends the sale of a performance, also of one that is not known yet.
pub(crate) async fn insert_cancelled(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.cancelled_performances (performance_id) values ($1)
         on conflict do nothing",
    )
    .bind(performance)
    .execute(conn)
    .await?;
    Ok(())
}
