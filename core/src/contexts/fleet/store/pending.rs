//! Changes that the feed doesn't hold yet, and messages whose outbox rows are to be marked when it
//! does.

use std::collections::{BTreeMap, BTreeSet};

use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::FeedEntry;
use uuid::Uuid;

use super::{column, feed, signed};

/// A message of a feeding context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) message: Uuid,
    /// The context whose outbox row is to be marked; fleet's own changes have none.
    pub(crate) source: &'static str,
}

/// What a message changes in venues' feeds, in order.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) origin: Origin,
    pub(crate) entries: Vec<(VenueId, FeedEntry)>,
}

/// A row that waits for the writer.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) id: i64,
    pub(crate) message: Uuid,
    pub(crate) work: Work,
    /// It repairs a row: the digest is counted anew from the rows.
    pub(crate) recount: bool,
}

/// What the writer has to do.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Write a subject's new state into a venue's feed.
    Entry { venue: VenueId, entry: FeedEntry },
    /// Acknowledge a batch of journal rows, whose effects stand before it.
    Batch { venue: VenueId, batch: Uuid },
    /// Nothing: only the outbox row is to be marked.
    None,
}

/// Inserts messages' changes; of a message without entries, a row that only names it.
pub(crate) async fn insert(conn: &mut PgConnection, changes: &[Change]) -> DbResult<()> {
    let mut rows = Vec::new();
    for Change { origin, entries } in changes {
        rows.extend(entries.iter().map(|entry| (origin, Some(entry))));
        if entries.is_empty() {
            rows.push((origin, None));
        }
    }
    let entries = column(&rows, |(_, entry)| entry.map(|(_, entry)| entry));
    let versions = entries.iter();
    let versions = versions.map(|entry| entry.map(|entry| signed(entry.version)).transpose());
    sqlx::query(
        "insert into fleet.feed_pending (message_id, source, venue_id, subject, version, entry)
         select message_id, source, venue_id, subject, version, entry
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::bigint[], $6::bytea[])
             with ordinality as row (message_id, source, venue_id, subject, version, entry, place)
         order by place",
    )
    .bind(column(&rows, |(origin, _)| origin.message))
    .bind(column(&rows, |(origin, _)| origin.source))
    .bind(column(&rows, |(_, entry)| entry.map(|(venue, _)| *venue)))
    .bind(column(&entries, |entry| {
        entry.map(|entry| feed::key(&entry.subject))
    }))
    .bind(versions.collect::<DbResult<Vec<_>>>()?)
    .bind(column(&entries, |entry| entry.map(FeedEntry::to_bytes)))
    .execute(conn)
    .await?;
    Ok(())
}

/// The changes of a message are repairs.
pub(crate) async fn mark_recount(conn: &mut PgConnection, message: Uuid) -> DbResult<()> {
    sqlx::query("update fleet.feed_pending set recount = true where message_id = $1")
        .bind(message)
        .execute(conn)
        .await?;
    Ok(())
}

/// Inserts a batch of journal rows that is acknowledged when the changes before it are written.
pub(crate) async fn insert_batch(
    conn: &mut PgConnection,
    origin: Origin,
    venue: VenueId,
    batch: Uuid,
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.feed_pending (message_id, source, venue_id, batch_id)
         values ($1, $2, $3, $4)",
    )
    .bind(origin.message)
    .bind(origin.source)
    .bind(venue)
    .bind(batch)
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    pending_id: i64,
    message_id: Uuid,
    venue_id: Option<VenueId>,
    entry: Option<Vec<u8>>,
    batch_id: Option<Uuid>,
    recount: bool,
}

impl TryFrom<Row> for Pending {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let work = match (row.venue_id, row.entry, row.batch_id) {
            (Some(venue), Some(bytes), None) => Work::Entry {
                venue,
                entry: minicbor::decode(&bytes).map_err(DbError::impossible_row)?,
            },
            (Some(venue), None, Some(batch)) => Work::Batch { venue, batch },
            (None, None, None) => Work::None,
            _ => return Err(DbError::impossible_row("a pending row of no known kind")),
        };
        Ok(Self {
            id: row.pending_id,
            message: row.message_id,
            work,
            recount: row.recount,
        })
    }
}

/// Whose rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    All,
    /// Of a venue, or of none.
    Of(Option<VenueId>),
}

/// The oldest rows that wait; they are locked to commit, and no other writer gets them.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    whose: Whose,
    limit: usize,
) -> DbResult<Vec<Pending>> {
    let limit = i64::try_from(limit).map_err(DbError::impossible_row)?;
    let query = match whose {
        Whose::All => sqlx::query_as(
            "select pending_id, message_id, venue_id, entry, batch_id, recount from fleet.feed_pending
             where written_at is null order by pending_id limit $1 for update skip locked",
        )
        .bind(limit),
        Whose::Of(venue) => sqlx::query_as(
            "select pending_id, message_id, venue_id, entry, batch_id, recount from fleet.feed_pending
             where written_at is null and venue_id is not distinct from $2
             order by pending_id limit $1 for update skip locked",
        )
        .bind(limit)
        .bind(venue),
    };
    let rows: Vec<Row> = query.fetch_all(conn).await?;
    rows.into_iter().map(Pending::try_from).collect()
}

/// Venues of which rows wait; none among them for rows of no venue.
pub(crate) async fn list_venues(conn: &mut PgConnection) -> DbResult<Vec<Option<VenueId>>> {
    let venues = sqlx::query_scalar(
        "select distinct venue_id from fleet.feed_pending where written_at is null order by 1",
    )
    .fetch_all(conn)
    .await?;
    Ok(venues)
}

/// What a venue's feed has waited for too long: how many rows, the oldest message, since when.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Overdue {
    pub(crate) venue_id: VenueId,
    pub(crate) rows: i64,
    pub(crate) message_id: Uuid,
    pub(crate) seconds: i64,
}

/// Rows that the writer has not written after so many seconds, by venue.
pub(crate) async fn list_overdue(conn: &mut PgConnection, seconds: u32) -> DbResult<Vec<Overdue>> {
    let overdue = sqlx::query_as(
        "select distinct on (venue_id) venue_id, message_id,
             count(*) over (partition by venue_id) as rows,
             extract(epoch from now() - created_at)::bigint as seconds
         from fleet.feed_pending
         where written_at is null and venue_id is not null
             and created_at < now() - $1 * interval '1 second'
         order by venue_id, created_at",
    )
    .bind(i64::from(seconds))
    .fetch_all(conn)
    .await?;
    Ok(overdue)
}

/// The feed holds these rows.
pub(crate) async fn mark_written(conn: &mut PgConnection, ids: &[i64]) -> DbResult<()> {
    sqlx::query("update fleet.feed_pending set written_at = now() where pending_id = any($1)")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// Those of these messages, or of all, of which no row waits any more, by the context whose outbox
/// they came from.
pub(crate) async fn fully_written(
    conn: &mut PgConnection,
    among: Option<&BTreeSet<Uuid>>,
) -> DbResult<BTreeMap<String, Vec<Uuid>>> {
    let among: Option<Vec<Uuid>> = among.map(|messages| messages.iter().copied().collect());
    let query = if among.is_some() {
        "select source, message_id from fleet.feed_pending where message_id = any($1)
         group by source, message_id having bool_and(written_at is not null)"
    } else {
        "select source, message_id from fleet.feed_pending where $1::uuid[] is null
         group by source, message_id having bool_and(written_at is not null)"
    };
    let rows: Vec<(String, Uuid)> = sqlx::query_as(query).bind(among).fetch_all(conn).await?;
    let mut by_source = BTreeMap::<_, Vec<_>>::new();
    for (source, message) in rows {
        by_source.entry(source).or_default().push(message);
    }
    Ok(by_source)
}

/// The outbox rows of these messages are marked. The commit does not wait for the disk: rows that come
/// back after a crash are marked again, which changes nothing.
pub(crate) async fn delete_written(conn: &mut PgConnection, messages: &[Uuid]) -> DbResult<()> {
    sqlx::query(
        "delete from fleet.feed_pending
         using (select set_config('synchronous_commit', 'off', true)) as unhurried
         where message_id = any($1) and written_at is not null",
    )
    .bind(messages)
    .execute(conn)
    .await?;
    Ok(())
}
