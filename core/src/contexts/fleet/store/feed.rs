//! The feed's entries and their sum.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::{Digest, DigestKey, FeedEntry, Position, Subject};
use eventify_sync::core::feed::{FeedHead, NewestRow, Written};
use eventify_sync::digest;
use futures_util::TryStreamExt;
use uuid::Uuid;

use super::{hash, signed, unsigned};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// A subject as a column: its CBOR, whose byte order is the order of a snapshot.
pub(super) fn key(subject: &Subject) -> Vec<u8> {
    minicbor::to_vec(subject).expect("writing to a Vec can't fail")
}

/// A venue's feed, without its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) head: FeedHead,
    pub(crate) key: DigestKey,
    /// Entries at and before this position are no longer held one by one.
    pub(crate) compacted_to: Position,
}

type FeedRow = (i64, Vec<u8>, Vec<u8>, i64);

fn feed((position, digest, digest_key, compacted_to): FeedRow) -> DbResult<Feed> {
    let head = FeedHead {
        position: Position(unsigned(position)?),
        digest: Digest(hash(&digest)?),
    };
    let key = DigestKey(hash(&digest_key)?);
    Ok(Feed {
        head,
        key,
        compacted_to: Position(unsigned(compacted_to)?),
    })
}

pub(crate) async fn find(conn: &mut PgConnection, venue: VenueId) -> DbResult<Option<Feed>> {
    let row: Option<FeedRow> = sqlx::query_as(
        "select head, digest, digest_key, compacted_to from venues where venue_id = $1",
    )
    .bind(venue.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.map(feed).transpose()
}

/// The digest of the rows as they are, counted anew. The feed is locked.
pub(crate) async fn recount(
    conn: &mut PgConnection,
    venue: VenueId,
    key: &DigestKey,
) -> DbResult<Digest> {
    let mut rows = sqlx::query_scalar::<_, Vec<u8>>(
        "select entry from feed_state where venue_id = $1 and live",
    )
    .bind(venue.as_uuid())
    .fetch(conn);
    let mut sum = digest::EMPTY;
    while let Some(row) = rows.try_next().await? {
        sum = digest::add(sum, digest::row_hash(key, &row));
    }
    Ok(sum)
}

/// Puts the digest of the locked head right.
pub(crate) async fn correct(
    conn: &mut PgConnection,
    venue: VenueId,
    head: &FeedHead,
) -> DbResult<()> {
    let digest = head.digest.0.0.as_slice();
    sqlx::query("update venues set digest = $2 where venue_id = $1")
        .bind(venue.as_uuid())
        .bind(digest)
        .execute(&mut *conn)
        .await?;
    sqlx::query("update feed_entries set digest = $3 where venue_id = $1 and position = $2")
        .bind(venue.as_uuid())
        .bind(signed(head.position.0)?)
        .bind(digest)
        .execute(conn)
        .await?;
    Ok(())
}

/// The same with the row locked to commit: the writer's right to the next positions.
pub(crate) async fn lock(conn: &mut PgConnection, venue: VenueId) -> DbResult<Feed> {
    let row: FeedRow = sqlx::query_as(
        "select head, digest, digest_key, compacted_to from venues where venue_id = $1 for update",
    )
    .bind(venue.as_uuid())
    .fetch_one(conn)
    .await?;
    feed(row)
}

/// The newest entries of these subjects; some may have none. A look into the index for each, whatever
/// the planner thinks of a table that has just begun to grow.
pub(crate) async fn held(
    conn: &mut PgConnection,
    venue: VenueId,
    subjects: impl IntoIterator<Item = &Subject>,
) -> DbResult<BTreeMap<Subject, NewestRow>> {
    let rows: Vec<(Vec<u8>, i64, bool, Vec<u8>)> = sqlx::query_as(
        "select held.subject, version, live, entry from unnest($2::bytea[]) as asked (subject)
             join lateral (select * from feed_state
                 where venue_id = $1 and subject = asked.subject limit 1) as held on true",
    )
    .bind(venue.as_uuid())
    .bind(subjects.into_iter().map(key).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(subject, version, live, entry)| {
            let subject = minicbor::decode(&subject).map_err(DbError::impossible_row)?;
            Ok((
                subject,
                NewestRow {
                    version: unsigned(version)?,
                    row: live.then_some(entry),
                },
            ))
        })
        .collect()
}

/// Writes entries behind the locked head, and the new head.
pub(crate) async fn append(
    conn: &mut PgConnection,
    venue: VenueId,
    written: &Written,
) -> DbResult<()> {
    let new = &written.entries;
    let positions = new
        .iter()
        .map(|(at, _)| signed(at.position.0))
        .collect::<DbResult<Vec<_>>>()?;
    let entries: Vec<_> = new.iter().map(|(_, entry)| entry.to_bytes()).collect();
    sqlx::query(
        "insert into feed_entries (venue_id, position, entry, digest)
         select $1, position, entry, digest
         from unnest($2::bigint[], $3::bytea[], $4::bytea[]) as row (position, entry, digest)",
    )
    .bind(venue.as_uuid())
    .bind(&positions)
    .bind(&entries)
    .bind(
        new.iter()
            .map(|(at, _)| at.digest.0.0.as_slice())
            .collect::<Vec<_>>(),
    )
    .execute(&mut *conn)
    .await?;
    // A subject may stand twice in a batch: the last one is its state.
    sqlx::query(
        "insert into feed_state (venue_id, subject, version, position, live, entry)
         select distinct on (subject) $1, subject, version, position, live, entry
         from unnest($2::bytea[], $3::bigint[], $4::bigint[], $5::bool[], $6::bytea[])
             as row (subject, version, position, live, entry)
         order by subject, position desc
         on conflict (venue_id, subject) do update set version = excluded.version,
             position = excluded.position, live = excluded.live, entry = excluded.entry",
    )
    .bind(venue.as_uuid())
    .bind(
        new.iter()
            .map(|(_, entry)| key(&entry.subject))
            .collect::<Vec<_>>(),
    )
    .bind(
        new.iter()
            .map(|(_, entry)| signed(entry.version))
            .collect::<DbResult<Vec<_>>>()?,
    )
    .bind(&positions)
    .bind(
        new.iter()
            .map(|(_, entry)| entry.value.is_some())
            .collect::<Vec<_>>(),
    )
    .bind(&entries)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update venues set head = $2, digest = $3 where venue_id = $1")
        .bind(venue.as_uuid())
        .bind(signed(written.head.position.0)?)
        .bind(written.head.digest.0.0.as_slice())
        .execute(conn)
        .await?;
    Ok(())
}

/// Entries after a position, in order.
pub(crate) async fn entries_after(
    conn: &mut PgConnection,
    venue: VenueId,
    after: Position,
    limit: u64,
) -> DbResult<Vec<FeedEntry>> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        "select entry from feed_entries where venue_id = $1 and position > $2
         order by position limit $3",
    )
    .bind(venue.as_uuid())
    .bind(signed(after.0)?)
    .bind(signed(limit)?)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|bytes| minicbor::decode(bytes).map_err(DbError::impossible_row))
        .collect()
}

/// The digest at a position, while its entry is kept; of the empty feed it is always known.
pub(crate) async fn digest_at(
    conn: &mut PgConnection,
    venue: VenueId,
    position: Position,
) -> DbResult<Option<Digest>> {
    if position == Position(0) {
        return Ok(Some(digest::EMPTY));
    }
    let row: Option<Vec<u8>> =
        sqlx::query_scalar("select digest from feed_entries where venue_id = $1 and position = $2")
            .bind(venue.as_uuid())
            .bind(signed(position.0)?)
            .fetch_optional(conn)
            .await?;
    row.map(|bytes| hash(&bytes).map(Digest)).transpose()
}

/// All rows of the replica, in the order of a snapshot.
pub(crate) async fn rows(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Vec<u8>>> {
    let rows = sqlx::query_scalar(
        "select entry from feed_state where venue_id = $1 and live order by subject",
    )
    .bind(venue.as_uuid())
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Removes entries written before a time, but none after a position that somebody still needs:
/// the newest snapshot's, or one that was pulled since.
pub(crate) async fn compact(conn: &mut PgConnection, older_than: DateTime<Utc>) -> DbResult<u64> {
    // The venue's row first, as the writer does: never one lock inside the other.
    let venues: Vec<Uuid> = sqlx::query_scalar(
        "select venue_id from venues where head > compacted_to order by venue_id for update",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut removed = 0;
    for venue in venues {
        let through: Option<i64> = sqlx::query_scalar(
            "select max(position) from feed_entries
             where venue_id = $1 and written_at < $2
                 and position <= coalesce((select min(position) from snapshots
                     where venue_id = $1 and pulled_at >= $2), position)",
        )
        .bind(venue)
        .bind(older_than)
        .fetch_one(&mut *conn)
        .await?;
        let Some(through) = through else { continue };
        let done = sqlx::query("delete from feed_entries where venue_id = $1 and position <= $2")
            .bind(venue)
            .bind(through)
            .execute(&mut *conn)
            .await?;
        sqlx::query("update venues set compacted_to = $2 where venue_id = $1")
            .bind(venue)
            .bind(through)
            .execute(&mut *conn)
            .await?;
        removed += done.rows_affected();
    }
    Ok(removed)
}

/// Holds key sets and new venues apart until the transaction ends, so that no venue misses a set:
/// exclusively for a new set, shared for a new venue.
pub(crate) async fn lock_key_set(conn: &mut PgConnection, exclusive: bool) -> DbResult<()> {
    let lock = if exclusive {
        "select pg_advisory_xact_lock(hashtextextended('fleet/key_set', 0))"
    } else {
        "select pg_advisory_xact_lock_shared(hashtextextended('fleet/key_set', 0))"
    };
    sqlx::query(lock).execute(conn).await?;
    Ok(())
}

/// Keeps a key set; true if it is newer than any before.
pub(crate) async fn keep_key_set(
    conn: &mut PgConnection,
    version: u64,
    bytes: &[u8],
) -> DbResult<bool> {
    let newest: bool = sqlx::query_scalar(
        "with kept as (insert into key_sets (version, bytes) values ($1, $2)
             on conflict do nothing)
         select not exists (select from key_sets where version >= $1)",
    )
    .bind(signed(version)?)
    .bind(bytes)
    .fetch_one(conn)
    .await?;
    Ok(newest)
}

/// The newest key set.
pub(crate) async fn key_set(conn: &mut PgConnection) -> DbResult<Option<(u64, Vec<u8>)>> {
    let row: Option<(i64, Vec<u8>)> =
        sqlx::query_as("select version, bytes from key_sets order by version desc limit 1")
            .fetch_optional(conn)
            .await?;
    row.map(|(version, bytes)| Ok((unsigned(version)?, bytes)))
        .transpose()
}
