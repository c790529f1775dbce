//! What the feed doesn't hold yet, and what has to be settled when it does.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::FeedEntry;
use uuid::Uuid;

use super::signed;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// A message of a feeding context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) message: Uuid,
    /// The context whose outbox row waits; fleet's own changes have none.
    pub(crate) source: &'static str,
}

/// A statement that waits for the writer.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) id: i64,
    pub(crate) message: Uuid,
    pub(crate) what: Waiting,
    /// It repairs a row: the digest is counted anew from the rows.
    pub(crate) recount: bool,
}

/// What waits.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    /// A subject's new state, for a venue's feed.
    Entry { venue: VenueId, entry: FeedEntry },
    /// A batch of journal rows, whose effects stand before it.
    Batch { venue: VenueId, batch: Uuid },
    /// Nothing but the settling.
    Nothing,
}

/// A message and what it says to venues' feeds, in order.
pub(crate) type Said = (Origin, Vec<(VenueId, FeedEntry)>);

/// Notes what messages say; of one that says nothing, only that it is to be settled.
pub(crate) async fn add(conn: &mut PgConnection, said: &[Said]) -> DbResult<()> {
    let mut rows = Rows::default();
    for (origin, entries) in said {
        for (venue, entry) in entries {
            rows.push(*origin, Some((*venue, entry)))?;
        }
        if entries.is_empty() {
            rows.push(*origin, None)?;
        }
    }
    sqlx::query(
        "insert into feed_pending (message_id, source, venue_id, subject, version, entry)
         select message_id, source, venue_id, subject, version, entry
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::bigint[], $6::bytea[])
             with ordinality as row (message_id, source, venue_id, subject, version, entry, place)
         order by place",
    )
    .bind(rows.messages)
    .bind(rows.sources)
    .bind(rows.venues)
    .bind(rows.subjects)
    .bind(rows.versions)
    .bind(rows.entries)
    .execute(conn)
    .await?;
    Ok(())
}

/// Columns.
#[derive(Default)]
struct Rows {
    messages: Vec<Uuid>,
    sources: Vec<&'static str>,
    venues: Vec<Option<Uuid>>,
    subjects: Vec<Option<Vec<u8>>>,
    versions: Vec<Option<i64>>,
    entries: Vec<Option<Vec<u8>>>,
}

impl Rows {
    fn push(&mut self, origin: Origin, entry: Option<(VenueId, &FeedEntry)>) -> DbResult<()> {
        self.messages.push(origin.message);
        self.sources.push(origin.source);
        self.venues.push(entry.map(|(venue, _)| venue.as_uuid()));
        let entry = entry.map(|(_, entry)| entry);
        self.subjects
            .push(entry.map(|entry| super::feed::key(&entry.subject)));
        let version = entry.map(|entry| signed(entry.version)).transpose()?;
        self.versions.push(version);
        self.entries.push(entry.map(FeedEntry::to_bytes));
        Ok(())
    }
}

/// The statements of a message are repairs.
pub(crate) async fn recount(conn: &mut PgConnection, message: Uuid) -> DbResult<()> {
    sqlx::query("update feed_pending set recount = true where message_id = $1")
        .bind(message)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes a message that ends with a batch of journal rows being in the feed.
pub(crate) async fn add_batch(
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

/// Takes the oldest that wait; they are locked to commit, and no other writer sees them.
pub(crate) async fn take(conn: &mut PgConnection, limit: usize) -> DbResult<Vec<Pending>> {
    type Row = (i64, Uuid, Option<Uuid>, Option<Vec<u8>>, Option<Uuid>, bool);
    let rows: Vec<Row> = sqlx::query_as(
        "select pending_id, message_id, venue_id, entry, batch_id, recount from feed_pending
         where written_at is null order by pending_id limit $1 for update skip locked",
    )
    .bind(i64::try_from(limit).map_err(DbError::impossible_row)?)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, message, venue, entry, batch, recount)| {
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
            Ok(Pending {
                id,
                message,
                what,
                recount,
            })
        })
        .collect()
}

/// The feed holds these.
pub(crate) async fn written(conn: &mut PgConnection, ids: &[i64]) -> DbResult<()> {
    sqlx::query("update feed_pending set written_at = now() where pending_id = any($1)")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// Which of these messages, or of all, have nothing that waits any more; by the context whose outbox
/// they came from.
pub(crate) async fn to_settle(
    conn: &mut PgConnection,
    among: Option<&BTreeSet<Uuid>>,
) -> DbResult<BTreeMap<String, Vec<Uuid>>> {
    let select = "select source, message_id from feed_pending";
    let whole = "group by source, message_id having bool_and(written_at is not null)";
    let rows: Vec<(String, Uuid)> = match among {
        Some(messages) => {
            let messages: Vec<Uuid> = messages.iter().copied().collect();
            let some = format!("{select} where message_id = any($1) {whole}");
            let some = sqlx::query_as(sqlx::AssertSqlSafe(some)).bind(messages);
            some.fetch_all(conn).await?
        }
        None => {
            let all = sqlx::AssertSqlSafe(format!("{select} {whole}"));
            sqlx::query_as(all).fetch_all(conn).await?
        }
    };
    let mut by_source = BTreeMap::<_, Vec<_>>::new();
    for (source, message) in rows {
        by_source.entry(source).or_default().push(message);
    }
    Ok(by_source)
}

/// These messages are settled. The commit does not wait for the disk: rows that come back after a
/// crash are settled again, which changes nothing.
pub(crate) async fn forget(conn: &mut PgConnection, messages: &[Uuid]) -> DbResult<()> {
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
