//! A performance's own seats and slots, made when it is scheduled.

use eventify_protocol::ids::{EventId, PerformanceId};
use uuid::Uuid;

use super::{int, texts};
use crate::contexts::inventory::model::layout::Layout;
use crate::contexts::inventory::model::plan::{Seat, Zone};
use crate::contexts::inventory::model::slots;
use crate::contexts::inventory::model::venue::Owner;
use eventify_contracts::event_management::PerformanceScheduled;
use eventify_kernel::db::{DbResult, PgConnection};

/// Enters a performance; false when it was there.
pub(crate) async fn add_performance(
    conn: &mut PgConnection,
    told: &PerformanceScheduled,
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into performances (performance_id, event_id, venue_id, seating_plan_id, owner_id,
             org_id, availability_version)
         values ($1, $2, $3, $4, $5, $6, 1)
         on conflict do nothing",
    )
    .bind(told.performance_id.as_uuid())
    .bind(told.event_id.as_uuid())
    .bind(told.venue_id.as_uuid())
    .bind(told.seating_plan_id.as_uuid())
    .bind(told.owner_id)
    .bind(&told.org_id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whose event a performance is of.
pub(crate) async fn owner(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<Owner>> {
    let row: Option<(Uuid, Option<String>)> =
        sqlx::query_as("select owner_id, org_id from performances where performance_id = $1")
            .bind(performance.as_uuid())
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|(user_id, org_id)| Owner { user_id, org_id }))
}

/// Enters its seats and zones.
pub(crate) async fn lay_out(
    conn: &mut PgConnection,
    performance: PerformanceId,
    layout: &Layout,
) -> DbResult<()> {
    add_seats(conn, performance, &layout.seats).await?;
    for zone in &layout.zones {
        add_zone(conn, performance, zone).await?;
    }
    Ok(())
}

async fn add_seats(
    conn: &mut PgConnection,
    performance: PerformanceId,
    seats: &[Seat],
) -> DbResult<()> {
    sqlx::query(
        "insert into performance_seats
             (performance_id, seat_id, label, section, categories, blocked)
         select $1, seat_id, label, section, string_to_array(categories, ','), blocked
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bool[])
             as seat (seat_id, label, section, categories, blocked)",
    )
    .bind(performance.as_uuid())
    .bind(
        seats
            .iter()
            .map(|seat| seat.id.as_uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| seat.label.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| seat.section.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| texts(&seat.categories).join(","))
            .collect::<Vec<_>>(),
    )
    .bind(seats.iter().map(|seat| seat.blocked).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

async fn add_zone(
    conn: &mut PgConnection,
    performance: PerformanceId,
    zone: &Zone,
) -> DbResult<()> {
    sqlx::query(
        "insert into performance_buckets (performance_id, bucket_id, zone, categories)
         values ($1, $2, $3, $4)",
    )
    .bind(performance.as_uuid())
    .bind(zone.id.as_uuid())
    .bind(&zone.zone)
    .bind(texts(&zone.categories))
    .execute(&mut *conn)
    .await?;
    for slot in slots::split(zone.capacity) {
        sqlx::query(
            "insert into bucket_slots (performance_id, bucket_id, slot, capacity)
             values ($1, $2, $3, $4)",
        )
        .bind(performance.as_uuid())
        .bind(zone.id.as_uuid())
        .bind(slot.slot)
        .bind(int(slot.capacity)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Notes whether an event's performances are on sale; the newest version wins.
pub(crate) async fn set_open(
    conn: &mut PgConnection,
    event: EventId,
    open: bool,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into published_events as known (event_id, open, version) values ($1, $2, $3)
         on conflict (event_id) do update set open = excluded.open, version = excluded.version
         where known.version < excluded.version",
    )
    .bind(event.as_uuid())
    .bind(open)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the sale of a performance, also of one that is not known yet.
pub(crate) async fn cancel(conn: &mut PgConnection, performance: PerformanceId) -> DbResult<()> {
    sqlx::query(
        "insert into cancelled_performances (performance_id) values ($1) on conflict do nothing",
    )
    .bind(performance.as_uuid())
    .execute(conn)
    .await?;
    Ok(())
}
