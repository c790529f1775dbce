//! Who may check in over REST, for which event.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_kernel::http::Paging;
use eventify_protocol::ids::{EventId, PerformanceId, TicketId, UserId};

/// The users assigned to an event and since when, in the order of their ids.
/// A page of those who may check in at an event, and how many there are.
pub(crate) async fn list_assignments(
    conn: &mut PgConnection,
    event: EventId,
    paging: Paging,
) -> DbResult<(Vec<(UserId, DateTime<Utc>)>, i64)> {
    let assignments = sqlx::query_as(
        "select user_id, assigned_at from ticketing.checkin_assignments where event_id = $1
         order by user_id limit $2 offset $3",
    )
    .bind(event)
    .bind(paging.limit())
    .bind(paging.offset())
    .fetch_all(&mut *conn)
    .await?;
    let count = "select count(*) from ticketing.checkin_assignments where event_id = $1";
    let total = sqlx::query_scalar(count)
        .bind(event)
        .fetch_one(conn)
        .await?;
    Ok((assignments, total))
}

/// Whether a user is assigned to the event of a ticket.
pub(crate) async fn is_assigned(
    conn: &mut PgConnection,
    user: UserId,
    ticket: TicketId,
) -> DbResult<bool> {
    let is_assigned = sqlx::query_scalar(
        "select exists (select from ticketing.tickets
             join ticketing.performances using (performance_id)
             join ticketing.checkin_assignments using (event_id)
             where ticket_id = $1 and user_id = $2)",
    )
    .bind(ticket)
    .bind(user)
    .fetch_one(conn)
    .await?;
    Ok(is_assigned)
}

/// Whether a user is assigned to the event of a performance.
pub(crate) async fn is_assigned_to(
    conn: &mut PgConnection,
    user: UserId,
    performance: PerformanceId,
) -> DbResult<bool> {
    let is_assigned = sqlx::query_scalar(
        "select exists (select from ticketing.performances
             join ticketing.checkin_assignments using (event_id)
             where performance_id = $1 and user_id = $2)",
    )
    .bind(performance)
    .bind(user)
    .fetch_one(conn)
    .await?;
    Ok(is_assigned)
}

pub(crate) async fn insert_assignment(
    conn: &mut PgConnection,
    event: EventId,
    user: UserId,
    by: UserId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.checkin_assignments (event_id, user_id, assigned_by, assigned_at)
         values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(event)
    .bind(user)
    .bind(by)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_assignment(
    conn: &mut PgConnection,
    event: EventId,
    user: UserId,
) -> DbResult<()> {
    sqlx::query("delete from ticketing.checkin_assignments where event_id = $1 and user_id = $2")
        .bind(event)
        .bind(user)
        .execute(conn)
        .await?;
    Ok(())
}
