//! Statements of a venue's tickets to fleet, and when each venue's next one is due.

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::TicketRange;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::VenueId;

use super::tickets::{TicketRow, select, tickets};
use crate::contexts::ticketing::model::{Settings, Ticket};

/// Venues with a performance that is not over, whose last statement is too old, or was made before
/// the moment at which the doors of one ask for another.
pub(crate) async fn list_due_venues(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    settings: &Settings,
) -> DbResult<Vec<VenueId>> {
    let due = sqlx::query_scalar(
        "select venue_id
         from ticketing.performances left join ticketing.feed_statements using (venue_id)
         where coalesce(admits_until, ends_at, start_time) > $1
         group by venue_id, stated_at
         having stated_at is null or stated_at <= $1 - $2
             or bool_or(doors_at - $3 <= $1 and stated_at < doors_at - $3)
         order by venue_id",
    )
    .bind(now)
    .bind(settings.compare_every())
    .bind(settings.compare_before_doors())
    .fetch_all(conn)
    .await?;
    Ok(due)
}

pub(crate) async fn upsert_statement(
    conn: &mut PgConnection,
    venue: VenueId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.feed_statements (venue_id, stated_at) values ($1, $2)
         on conflict (venue_id) do update set stated_at = excluded.stated_at",
    )
    .bind(venue)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The first tickets of a range, in order of their ids.
pub(crate) async fn list_tickets_in(
    conn: &mut PgConnection,
    venue: VenueId,
    range: &TicketRange,
    limit: u16,
) -> DbResult<Vec<Ticket>> {
    let rows: Vec<TicketRow> = sqlx::query_as(select(
        "left join ticketing.performances as show on show.performance_id = ticket.performance_id
         where ticket.venue_id = $1 and coalesce(show.admits_until > to_timestamp($2), true)
             and ($3::uuid is null or ticket.ticket_id > $3)
             and ($4::uuid is null or ticket.ticket_id <= $4)
         order by ticket.ticket_id limit $5",
    ))
    .bind(venue)
    .bind(range.expiring_after)
    .bind(range.after)
    .bind(range.through)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    tickets(rows)
}

/// The database's clock: what an earlier statement has read was committed before.
pub(crate) async fn database_now(conn: &mut PgConnection) -> DbResult<DateTime<Utc>> {
    let now = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(conn)
        .await?;
    Ok(now)
}
