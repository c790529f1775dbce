//! The feed's tickets beside ticketing's statements.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{TicketId, VenueId};
use eventify_protocol::sync::Subject;
use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx::types::Json;
use uuid::Uuid;

use super::feed::key;
use super::unsigned;
use crate::contexts::fleet::model::comparison::{HeldRow, HeldTicket};
use eventify_contracts::ticketing::{TicketRange, TicketsStated};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// Looks at each ticket of a range that the feed has, deleted ones too, in order; one at a time,
/// because the tickets of all times lie in it.
pub(crate) async fn each_ticket(
    conn: &mut PgConnection,
    venue: VenueId,
    range: &TicketRange,
    mut look: impl FnMut(HeldTicket),
) -> DbResult<()> {
    let bound = |id: TicketId| key(&Subject::Ticket(id));
    let mut rows = sqlx::query(
        "select subject, version, live, entry from feed_state
         where venue_id = $1 and subject >= $2 and subject <= $3 and subject <> $4
         order by subject",
    )
    .bind(venue.as_uuid())
    .bind(bound(range.after.unwrap_or(TicketId(Uuid::nil()))))
    .bind(bound(range.through.unwrap_or(TicketId(Uuid::max()))))
    .bind(range.after.map(bound).unwrap_or_default())
    .fetch(conn);
    while let Some(row) = rows.try_next().await? {
        let subject: Vec<u8> = row.try_get("subject")?;
        let Subject::Ticket(id) = minicbor::decode(&subject).map_err(DbError::impossible_row)?
        else {
            return Err(DbError::impossible_row(
                "a subject among tickets that is none",
            ));
        };
        let live: bool = row.try_get("live")?;
        let entry: &[u8] = row.try_get("entry")?;
        let version = unsigned(row.try_get::<i64, _>("version")?)?;
        look(HeldTicket {
            id,
            version,
            row: live.then(|| HeldRow::read(entry, version)),
        });
    }
    Ok(())
}

/// Keeps a statement until it can be judged.
pub(crate) async fn add(conn: &mut PgConnection, stated: &TicketsStated) -> DbResult<()> {
    sqlx::query("insert into feed_comparisons (stated, as_of) values ($1, $2)")
        .bind(Json(stated))
        .bind(stated.as_of)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes the oldest statement before which all is settled; `None` for a time: everything is. One
/// without tickets, the end of a comparison, has to have lain for a minute: by then what it has found
/// is repaired.
pub(crate) async fn take(
    conn: &mut PgConnection,
    settled_before: Option<DateTime<Utc>>,
) -> DbResult<Option<TicketsStated>> {
    let stated: Option<Json<TicketsStated>> = sqlx::query_scalar(
        "delete from feed_comparisons where comparison_id = (
             select comparison_id from feed_comparisons
             where ($1::timestamptz is null or as_of < $1)
                 and (stated->'tickets' <> 'null' or received_at < now() - interval '1 minute')
             order by comparison_id limit 1 for update skip locked)
         returning stated",
    )
    .bind(settled_before)
    .fetch_optional(conn)
    .await?;
    Ok(stated.map(|Json(stated)| stated))
}

/// Gives up statements that nothing could be held against for so long; there are newer ones.
pub(crate) async fn forget(conn: &mut PgConnection, before: DateTime<Utc>) -> DbResult<u64> {
    let done = sqlx::query("delete from feed_comparisons where received_at < $1")
        .bind(before)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
