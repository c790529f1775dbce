//! Short codes: which ticket has one, and which has none yet.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{NodeId, TicketId, VenueId};
use eventify_protocol::short_code::CodeHash;

/// The ticket with a code at the venue of a node.
pub(crate) async fn find_ticket_of_code(
    conn: &mut PgConnection,
    node: NodeId,
    code: CodeHash,
) -> DbResult<Option<TicketId>> {
    let found = sqlx::query_scalar(
        "select ticket_id from ticketing.tickets
         where venue_id = (select venue_id from ticketing.nodes where node_id = $1)
             and short_code_hash = $2",
    )
    .bind(node)
    .bind(&code.0.0[..])
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Tickets without a code that may still admit somebody.
pub(crate) async fn list_without_code(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<(TicketId, VenueId)>> {
    let missing = sqlx::query_as(
        "select ticket.ticket_id, ticket.venue_id
         from ticketing.tickets as ticket
             left join ticketing.performances as show using (performance_id)
         where ticket.short_code is null and ticket.revoked_reason is null
             and coalesce(show.admits_until, show.ends_at, show.start_time, 'infinity') > $1
         order by ticket.ticket_id limit $2",
    )
    .bind(now)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(missing)
}
