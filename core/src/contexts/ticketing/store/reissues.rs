//! When tickets got new codes.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::TicketId;

/// Forgets what was before `since`, and answers when the others were, the oldest first. The ticket is locked.
pub(crate) async fn list_reissues(
    conn: &mut PgConnection,
    ticket: TicketId,
    since: DateTime<Utc>,
) -> DbResult<Vec<DateTime<Utc>>> {
    sqlx::query("delete from ticketing.reissues where ticket_id = $1 and at <= $2")
        .bind(ticket)
        .bind(since)
        .execute(&mut *conn)
        .await?;
    let times =
        sqlx::query_scalar("select at from ticketing.reissues where ticket_id = $1 order by at")
            .bind(ticket)
            .fetch_all(conn)
            .await?;
    Ok(times)
}

pub(crate) async fn insert_reissue(
    conn: &mut PgConnection,
    ticket: TicketId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("insert into ticketing.reissues (ticket_id, at) values ($1, $2)")
        .bind(ticket)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}
