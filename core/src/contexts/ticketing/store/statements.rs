//! What is stated to fleet of a venue's tickets, and when it was.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::{TicketId, VenueId};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::tickets::{SELECT, ticket};
use crate::contexts::ticketing::model::Ticket;
use eventify_contracts::ticketing::TicketRange;
use eventify_kernel::db::{DbResult, PgConnection};

/// When venues are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) every: TimeDelta,
    pub(crate) before_doors: TimeDelta,
    /// A performance without a planned end is over so long after its start.
    pub(crate) after_start: TimeDelta,
}

/// Venues with a performance that is not over, whose last statement is too old, or was made before
/// the moment that lies so long before the doors of one.
pub(crate) async fn venues_due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    schedule: &Schedule,
) -> DbResult<Vec<VenueId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select venue_id from performances left join feed_statements using (venue_id)
         where coalesce(ends_at, start_time + $4) > $1
         group by venue_id, stated_at
         having stated_at is null or stated_at <= $1 - $2
             or bool_or(doors_at - $3 <= $1 and stated_at < doors_at - $3)
         order by venue_id",
    )
    .bind(now)
    .bind(schedule.every)
    .bind(schedule.before_doors)
    .bind(schedule.after_start)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(VenueId).collect())
}

/// Notes that a venue's tickets are stated now.
pub(crate) async fn note_statement(
    conn: &mut PgConnection,
    venue: VenueId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into feed_statements (venue_id, stated_at) values ($1, $2)
         on conflict (venue_id) do update set stated_at = excluded.stated_at",
    )
    .bind(venue.as_uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The first tickets of a range, in order of their ids.
pub(crate) async fn tickets_in(
    conn: &mut PgConnection,
    venue: VenueId,
    range: &TicketRange,
    limit: u16,
) -> DbResult<Vec<Ticket>> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} where ticket.venue_id = $1 and ticket.expiry > $2
             and ($3::uuid is null or ticket.ticket_id > $3)
             and ($4::uuid is null or ticket.ticket_id <= $4)
         order by ticket.ticket_id limit $5"
    )))
    .bind(venue.as_uuid())
    .bind(range.expiring_after)
    .bind(range.after.map(TicketId::as_uuid))
    .bind(range.through.map(TicketId::as_uuid))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(ticket).collect()
}

/// The database's clock. What a statement before it has seen was committed before.
pub(crate) async fn clock(conn: &mut PgConnection) -> DbResult<DateTime<Utc>> {
    let now = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(conn)
        .await?;
    Ok(now)
}
