//! What the clocks of venues show.

use std::collections::BTreeMap;

use eventify_contracts::inventory::VenueFacts;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{TicketId, VenueId};
use eventify_protocol::zone::TimeZone;

/// An older version than the stored one changes nothing.
pub(crate) async fn upsert_venue(
    conn: &mut PgConnection,
    venue: VenueId,
    facts: &VenueFacts,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.venues as known (venue_id, time_zone, version) values ($1, $2, $3)
         on conflict (venue_id) do update set time_zone = excluded.time_zone, version = excluded.version
         where known.version < excluded.version",
    )
    .bind(venue)
    .bind(facts.time_zone.name())
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// The zones of these venues, as far as they are known.
pub(crate) async fn list_time_zones(
    conn: &mut PgConnection,
    venues: &[VenueId],
) -> DbResult<BTreeMap<VenueId, TimeZone>> {
    let rows: Vec<(VenueId, String)> =
        sqlx::query_as("select venue_id, time_zone from ticketing.venues where venue_id = any($1)")
            .bind(venues)
            .fetch_all(conn)
            .await?;
    let zones = rows.into_iter();
    let zones = zones.map(|(venue, zone)| (venue, TimeZone::or_utc(Some(&zone))));
    Ok(zones.collect())
}

/// What the clocks show where a ticket is for.
pub(crate) async fn find_time_zone(
    conn: &mut PgConnection,
    ticket: TicketId,
) -> DbResult<TimeZone> {
    let zone: Option<String> = sqlx::query_scalar(
        "select time_zone from ticketing.venues join ticketing.tickets using (venue_id) where ticket_id = $1",
    )
    .bind(ticket)
    .fetch_optional(conn)
    .await?;
    Ok(TimeZone::or_utc(zone.as_deref()))
}
