//! What the feed doesn't hold yet, and what has to be settled when it does.

use std::collections::BTreeMap;

use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::FeedEntry;
use uuid::Uuid;

use super::signed;
use crate::db::{DbError, DbResult, PgConnection};

/// A message of a feeding context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Origin {
    pub(in crate::fleet) message: Uuid,
    /// The context whose outbox row waits; fleet's own changes have none.
    pub(in crate::fleet) source: &'static str,
}

/// A statement that waits for the writer.
#[derive(Clone, Debug)]
pub(in crate::fleet) struct Pending {
    pub(in crate::fleet) id: i64,
    pub(in crate::fleet) what: Waiting,
    /// It repairs a row: the digest is counted anew from the rows.
    pub(in crate::fleet) recount: bool,
}

/// What waits.
#[derive(Clone, Debug)]
pub(in crate::fleet) enum Waiting {
    /// A subject's new state, for a venue's feed.
    Entry { venue: VenueId, entry: FeedEntry },
    /// A batch of journal rows, whose effects stand before it.
    Batch { venue: VenueId, batch: Uuid },
    /// Nothing but the settling.
    Nothing,
}

/// Notes statements of one message, in order.
pub(in crate::fleet) async fn add(
    conn: &mut PgConnection,
    origin: Origin,
    entries: &[(VenueId, FeedEntry)],
) -> DbResult<()> {
    let versions = entries.iter().map(|(_, entry)| signed(entry.version));
    sqlx::query(
        "insert into feed_pending (message_id, source, venue_id, subject, version, entry)
         select $1, $2, venue_id, subject, version, entry
         from unnest($3::uuid[], $4::bytea[], $5::bigint[], $6::bytea[]) with ordinality
             as row (venue_id, subject, version, entry, place)
         order by place",
    )
    .bind(origin.message)
    .bind(origin.source)
    .bind(
        entries
            .iter()
            .map(|(venue, _)| venue.as_uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        entries
            .iter()
            .map(|(_, entry)| super::feed::key(&entry.subject))
            .collect::<Vec<_>>(),
    )
    .bind(versions.collect::<DbResult<Vec<_>>>()?)
    .bind(
        entries
            .iter()
            .map(|(_, entry)| entry.to_bytes())
            .collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The statements of a message are repairs.
pub(in crate::fleet) async fn recount(conn: &mut PgConnection, message: Uuid) -> DbResult<()> {
    sqlx::query("update feed_pending set recount = true where message_id = $1")
        .bind(message)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes a message that ends with a batch of journal rows being in the feed.
pub(in crate::fleet) async fn add_batch(
    conn: &mut PgConnection,
    origin: Origin,
    venue: VenueId,
    batch: Uuid,
) -> DbResult<()> {
    sqlx::query(
        "insert into feed_pending (message_id, source, venue_id, batch_id) values ($1, $2, $3, $4)",
    )
    .bind(origin.message)
    .bind(origin.source)
    .bind(venue.as_uuid())
    .bind(batch)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes a message that says nothing to a venue.
pub(in crate::fleet) async fn add_nothing(conn: &mut PgConnection, origin: Origin) -> DbResult<()> {
    sqlx::query("insert into feed_pending (message_id, source) values ($1, $2)")
        .bind(origin.message)
        .bind(origin.source)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes the oldest that wait; they are locked to commit, and no other writer sees them.
pub(in crate::fleet) async fn take(
    conn: &mut PgConnection,
    limit: usize,
) -> DbResult<Vec<Pending>> {
    type Row = (i64, Option<Uuid>, Option<Vec<u8>>, Option<Uuid>, bool);
    let rows: Vec<Row> = sqlx::query_as(
        "select pending_id, venue_id, entry, batch_id, recount from feed_pending
         where written_at is null order by pending_id limit $1 for update skip locked",
    )
    .bind(i64::try_from(limit).map_err(DbError::impossible_row)?)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, venue, entry, batch, recount)| {
            let what = match (venue, entry, batch) {
                (Some(venue), Some(bytes), None) => Waiting::Entry {
                    venue: VenueId(venue),
                    entry: minicbor::decode(&bytes).map_err(DbError::impossible_row)?,
                },
                (Some(venue), None, Some(batch)) => Waiting::Batch {
                    venue: VenueId(venue),
                    batch,
                },
                (None, None, None) => Waiting::Nothing,
                _ => return Err(DbError::impossible_row("a pending row of no known kind")),
            };
            Ok(Pending { id, what, recount })
        })
        .collect()
}

/// The feed holds these.
pub(in crate::fleet) async fn written(conn: &mut PgConnection, ids: &[i64]) -> DbResult<()> {
    sqlx::query("update feed_pending set written_at = now() where pending_id = any($1)")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// Messages of which nothing waits any more, by the context whose outbox they came from.
pub(in crate::fleet) async fn to_settle(
    conn: &mut PgConnection,
) -> DbResult<BTreeMap<String, Vec<Uuid>>> {
    let rows: Vec<(String, Uuid)> = sqlx::query_as(
        "select source, message_id from feed_pending group by source, message_id
         having bool_and(written_at is not null)",
    )
    .fetch_all(conn)
    .await?;
    let mut by_source = BTreeMap::<_, Vec<_>>::new();
    for (source, message) in rows {
        by_source.entry(source).or_default().push(message);
    }
    Ok(by_source)
}

/// These messages are settled. The commit does not wait for the disk: rows that come back after a
/// crash are settled again, which changes nothing.
pub(in crate::fleet) async fn forget(conn: &mut PgConnection, messages: &[Uuid]) -> DbResult<()> {
    sqlx::query(
        "delete from feed_pending
         using (select set_config('synchronous_commit', 'off', true)) as unhurried
         where message_id = any($1) and written_at is not null",
    )
    .bind(messages)
    .execute(conn)
    .await?;
    Ok(())
}
