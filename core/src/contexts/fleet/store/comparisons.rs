//! Ticketing's statements that wait to be compared, and the feed's tickets, performances and people.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::{TicketRange, TicketsStated};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{PerformanceId, PersonId, TicketId, VenueId};
use eventify_protocol::sync::Subject;
use futures_util::TryStreamExt;
use sqlx::types::Json;
use uuid::Uuid;

use super::feed::{StateRow, key};
use crate::contexts::fleet::model::comparison::{FeedRow, FeedTicket, InFeed};

/// Visits each ticket of a range that the feed has, deleted ones too, in order. They are streamed,
/// because the table holds the tickets of all times.
pub(crate) async fn each_ticket(
    conn: &mut PgConnection,
    venue: VenueId,
    range: &TicketRange,
    mut visit: impl FnMut(FeedTicket),
) -> DbResult<()> {
    let bound = |id: TicketId| key(&Subject::Ticket(id));
    let mut rows = sqlx::query_as::<_, StateRow>(
        "select subject, version, live, entry from fleet.feed_state
         where venue_id = $1 and subject >= $2 and subject <= $3 and subject <> $4
         order by subject",
    )
    .bind(venue)
    .bind(bound(range.after.unwrap_or(TicketId(Uuid::nil()))))
    .bind(bound(range.through.unwrap_or(TicketId(Uuid::max()))))
    .bind(range.after.map(bound).unwrap_or_default())
    .fetch(conn);
    while let Some(row) = rows.try_next().await? {
        let version = row.version;
        visit(FeedTicket {
            id: row.ticket()?,
            version,
            row: row.live.then(|| FeedRow::decode(&row.entry, version)),
        });
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct NewestRow {
    subject: Vec<u8>,
    version: i64,
    live: bool,
    entry: Vec<u8>,
    is_waiting: bool,
}

/// The newest entry of each performance of a venue: see [`list_newest`].
pub(crate) async fn list_performances(
    conn: &mut PgConnection,
    venue: VenueId,
) -> DbResult<BTreeMap<PerformanceId, InFeed>> {
    let of = |id| Subject::Performance(PerformanceId(id));
    let id = |subject| {
        let Subject::Performance(id) = subject else {
            return None;
        };
        Some(id)
    };
    list_newest(conn, venue, of, id).await
}

/// The newest entry of each person of a venue: see [`list_newest`].
pub(crate) async fn list_people(
    conn: &mut PgConnection,
    venue: VenueId,
) -> DbResult<BTreeMap<PersonId, InFeed>> {
    let of = |id| Subject::Person(PersonId(id));
    let id = |subject| {
        let Subject::Person(id) = subject else {
            return None;
        };
        Some(id)
    };
    list_newest(conn, venue, of, id).await
}

/// The newest entry of each subject of one kind, deleted ones too, and those that wait for the writer.
/// In one statement: what the writer moves from one table to the other is seen in either.
async fn list_newest<Id: Ord>(
    conn: &mut PgConnection,
    venue: VenueId,
    subject_of: impl Fn(Uuid) -> Subject,
    id_of: impl Fn(Subject) -> Option<Id>,
) -> DbResult<BTreeMap<Id, InFeed>> {
    let rows: Vec<NewestRow> = sqlx::query_as(
        "select subject, coalesce(version, 0) as version, coalesce(live, false) as live,
             coalesce(entry, '') as entry, coalesce(is_waiting, false) as is_waiting
         from (select subject, version, live, entry from fleet.feed_state
                 where venue_id = $1 and subject >= $2 and subject <= $3) as newest
             full join (select distinct subject, true as is_waiting from fleet.feed_pending
                 where venue_id = $1 and subject >= $2 and subject <= $3 and written_at is null)
                 as pending using (subject)",
    )
    .bind(venue)
    .bind(key(&subject_of(Uuid::nil())))
    .bind(key(&subject_of(Uuid::max())))
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let subject = minicbor::decode(&row.subject).map_err(DbError::impossible_row)?;
        let id = id_of(subject);
        let id = id.ok_or_else(|| DbError::impossible_row("a subject of another kind"))?;
        let in_feed = InFeed {
            version: row.version,
            live: row.live,
            row: row.entry,
            is_waiting: row.is_waiting,
        };
        Ok((id, in_feed))
    });
    rows.collect()
}

pub(crate) async fn insert(conn: &mut PgConnection, stated: &TicketsStated) -> DbResult<()> {
    sqlx::query("insert into fleet.feed_comparisons (stated, as_of) values ($1, $2)")
        .bind(Json(stated))
        .bind(stated.as_of)
        .execute(conn)
        .await?;
    Ok(())
}

/// The venues of which statements wait.
pub(crate) async fn list_venues(conn: &mut PgConnection) -> DbResult<Vec<VenueId>> {
    let venues = sqlx::query_scalar(
        "select distinct (stated->>'venueId')::uuid from fleet.feed_comparisons order by 1",
    )
    .fetch_all(conn)
    .await?;
    Ok(venues)
}

/// Takes out a venue's oldest statement before which all is in the feed (`None`: everything is). One without
/// tickets, the end of a comparison, waits for a minute: by then the differences are repaired.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    venue: VenueId,
    projected_before: Option<DateTime<Utc>>,
) -> DbResult<Option<TicketsStated>> {
    let stated: Option<Json<TicketsStated>> = sqlx::query_scalar(
        "delete from fleet.feed_comparisons where comparison_id = (
             select comparison_id from fleet.feed_comparisons
             where stated->>'venueId' = $2::text and ($1::timestamptz is null or as_of < $1)
                 and (stated->'tickets' <> 'null' or received_at < now() - interval '1 minute')
             order by comparison_id limit 1 for update skip locked)
         returning stated",
    )
    .bind(projected_before)
    .bind(venue.as_uuid().to_string())
    .fetch_optional(conn)
    .await?;
    Ok(stated.map(|Json(stated)| stated))
}

/// Deletes statements that could not be compared until now; there are newer ones.
pub(crate) async fn delete_before(conn: &mut PgConnection, before: DateTime<Utc>) -> DbResult<u64> {
    let done = sqlx::query("delete from fleet.feed_comparisons where received_at < $1")
        .bind(before)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
