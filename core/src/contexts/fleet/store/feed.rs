//! The feed's head and entries, and the newest entry of each subject.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{TicketId, VenueId};
use eventify_protocol::sync::{Digest, DigestKey, FeedEntry, Position, Subject};
use eventify_sync::core::feed::{FeedHead, NewestRow, Written};
use eventify_sync::digest;
use futures_util::TryStreamExt;

use super::{column, signed};

/// A subject as a column: its CBOR, whose byte order is the order of a snapshot.
pub(super) fn key(subject: &Subject) -> Vec<u8> {
    minicbor::to_vec(subject).expect("writing to a Vec can't fail")
}

/// A venue's feed, without its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) head: FeedHead,
    pub(crate) key: DigestKey,
    /// Entries at and before this position were deleted.
    pub(crate) compacted_to: Position,
}

#[derive(sqlx::FromRow)]
struct FeedRow {
    #[sqlx(try_from = "i64")]
    head: u64,
    digest: [u8; 32],
    digest_key: [u8; 32],
    #[sqlx(try_from = "i64")]
    compacted_to: u64,
}

impl From<FeedRow> for Feed {
    fn from(row: FeedRow) -> Self {
        Self {
            head: FeedHead {
                position: Position(row.head),
                digest: Digest(Hash32(row.digest)),
            },
            key: DigestKey(Hash32(row.digest_key)),
            compacted_to: Position(row.compacted_to),
        }
    }
}

pub(crate) async fn find(conn: &mut PgConnection, venue: VenueId) -> DbResult<Option<Feed>> {
    let row: Option<FeedRow> = sqlx::query_as(
        "select head, digest, digest_key, compacted_to from fleet.venues where venue_id = $1",
    )
    .bind(venue)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The same, with the row locked to commit: the writer's right to the next positions.
pub(crate) async fn lock(conn: &mut PgConnection, venue: VenueId) -> DbResult<Feed> {
    let row: FeedRow = sqlx::query_as(
        "select head, digest, digest_key, compacted_to from fleet.venues
         where venue_id = $1 for update",
    )
    .bind(venue)
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

/// The digest counted anew from the rows. The feed is locked.
pub(crate) async fn digest_of_rows(
    conn: &mut PgConnection,
    venue: VenueId,
    key: &DigestKey,
) -> DbResult<Digest> {
    let mut rows = sqlx::query_scalar::<_, Vec<u8>>(
        "select entry from fleet.feed_state where venue_id = $1 and live",
    )
    .bind(venue)
    .fetch(conn);
    let mut sum = digest::EMPTY;
    while let Some(row) = rows.try_next().await? {
        sum = digest::add(sum, digest::row_hash(key, &row));
    }
    Ok(sum)
}

/// Corrects the digest of the locked head.
pub(crate) async fn update_digest(
    conn: &mut PgConnection,
    venue: VenueId,
    head: &FeedHead,
) -> DbResult<()> {
    let digest = head.digest.0.0;
    sqlx::query("update fleet.venues set digest = $2 where venue_id = $1")
        .bind(venue)
        .bind(digest)
        .execute(&mut *conn)
        .await?;
    sqlx::query("update fleet.feed_entries set digest = $3 where venue_id = $1 and position = $2")
        .bind(venue)
        .bind(signed(head.position.0)?)
        .bind(digest)
        .execute(conn)
        .await?;
    Ok(())
}

/// The newest entry of a subject.
#[derive(sqlx::FromRow)]
pub(super) struct StateRow {
    subject: Vec<u8>,
    #[sqlx(try_from = "i64")]
    pub(super) version: u64,
    pub(super) live: bool,
    pub(super) entry: Vec<u8>,
}

impl StateRow {
    fn subject(&self) -> DbResult<Subject> {
        minicbor::decode(&self.subject).map_err(DbError::impossible_row)
    }

    pub(super) fn ticket(&self) -> DbResult<TicketId> {
        if let Subject::Ticket(id) = self.subject()? {
            Ok(id)
        } else {
            Err(DbError::impossible_row("a subject that is not a ticket"))
        }
    }
}

/// The newest entries of these subjects; some may have none. The index is read once for each subject,
/// even if the planner's statistics of a table that has just begun to grow suggest a scan.
pub(crate) async fn newest_of(
    conn: &mut PgConnection,
    venue: VenueId,
    subjects: impl IntoIterator<Item = &Subject>,
) -> DbResult<BTreeMap<Subject, NewestRow>> {
    let rows: Vec<StateRow> = sqlx::query_as(
        "select newest.subject, version, live, entry from unnest($2::bytea[]) as asked (subject)
             join lateral (select * from fleet.feed_state
                 where venue_id = $1 and subject = asked.subject limit 1) as newest on true",
    )
    .bind(venue)
    .bind(subjects.into_iter().map(key).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let subject = row.subject()?;
        let newest = NewestRow {
            version: row.version,
            row: row.live.then_some(row.entry),
        };
        Ok((subject, newest))
    });
    rows.collect()
}

/// Writes entries behind the locked head, and the new head.
pub(crate) async fn append(
    conn: &mut PgConnection,
    venue: VenueId,
    written: &Written,
) -> DbResult<()> {
    let new = &written.entries;
    let positions = new.iter().map(|(at, _)| signed(at.position.0));
    let positions = positions.collect::<DbResult<Vec<_>>>()?;
    let versions = new.iter().map(|(_, entry)| signed(entry.version));
    let entries = column(new, |(_, entry)| entry.to_bytes());
    sqlx::query(
        "insert into fleet.feed_entries (venue_id, position, entry, digest)
         select $1, position, entry, digest
         from unnest($2::bigint[], $3::bytea[], $4::bytea[]) as row (position, entry, digest)",
    )
    .bind(venue)
    .bind(&positions)
    .bind(&entries)
    .bind(column(new, |(at, _)| at.digest.0.0))
    .execute(&mut *conn)
    .await?;
    // A subject may stand twice in a batch: the last one is its state.
    sqlx::query(
        "insert into fleet.feed_state (venue_id, subject, version, position, live, entry)
         select distinct on (subject) $1, subject, version, position, live, entry
         from unnest($2::bytea[], $3::bigint[], $4::bigint[], $5::bool[], $6::bytea[])
             as row (subject, version, position, live, entry)
         order by subject, position desc
         on conflict (venue_id, subject) do update set version = excluded.version,
             position = excluded.position, live = excluded.live, entry = excluded.entry",
    )
    .bind(venue)
    .bind(column(new, |(_, entry)| key(&entry.subject)))
    .bind(versions.collect::<DbResult<Vec<_>>>()?)
    .bind(&positions)
    .bind(column(new, |(_, entry)| entry.value.is_some()))
    .bind(&entries)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update fleet.venues set head = $2, digest = $3 where venue_id = $1")
        .bind(venue)
        .bind(signed(written.head.position.0)?)
        .bind(written.head.digest.0.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Entries after a position, in order.
pub(crate) async fn list_entries_after(
    conn: &mut PgConnection,
    venue: VenueId,
    after: Position,
    limit: u64,
) -> DbResult<Vec<FeedEntry>> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        "select entry from fleet.feed_entries where venue_id = $1 and position > $2
         order by position limit $3",
    )
    .bind(venue)
    .bind(signed(after.0)?)
    .bind(signed(limit)?)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|bytes| minicbor::decode(bytes).map_err(DbError::impossible_row))
        .collect()
}

/// The digest at a position, while its entry exists; that of the empty feed is always known.
pub(crate) async fn digest_at(
    conn: &mut PgConnection,
    venue: VenueId,
    position: Position,
) -> DbResult<Option<Digest>> {
    if position == Position(0) {
        return Ok(Some(digest::EMPTY));
    }
    let digest: Option<[u8; 32]> = sqlx::query_scalar(
        "select digest from fleet.feed_entries where venue_id = $1 and position = $2",
    )
    .bind(venue)
    .bind(signed(position.0)?)
    .fetch_optional(conn)
    .await?;
    Ok(digest.map(|digest| Digest(Hash32(digest))))
}

/// All rows of the replica, in the order of a snapshot.
pub(crate) async fn list_rows(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Vec<u8>>> {
    let rows = sqlx::query_scalar(
        "select entry from fleet.feed_state where venue_id = $1 and live order by subject",
    )
    .bind(venue)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Venues whose feed has entries that may go.
pub(crate) async fn list_compactable(conn: &mut PgConnection) -> DbResult<Vec<VenueId>> {
    let venues = sqlx::query_scalar(
        "select venue_id from fleet.venues where head > compacted_to order by venue_id",
    )
    .fetch_all(conn)
    .await?;
    Ok(venues)
}

/// Deletes a venue's entries written before a time, but none after a position that a node still needs:
/// that of the newest snapshot, or of one that was pulled since.
pub(crate) async fn compact(
    conn: &mut PgConnection,
    venue: VenueId,
    older_than: DateTime<Utc>,
) -> DbResult<u64> {
    // The venue's row first, as the writer does: locks are taken in one order.
    sqlx::query("select from fleet.venues where venue_id = $1 for update")
        .bind(venue)
        .execute(&mut *conn)
        .await?;
    let through: Option<i64> = sqlx::query_scalar(
        "select max(position) from fleet.feed_entries
         where venue_id = $1 and written_at < $2
             and position <= coalesce((select min(position) from fleet.snapshots
                 where venue_id = $1 and pulled_at >= $2), position)",
    )
    .bind(venue)
    .bind(older_than)
    .fetch_one(&mut *conn)
    .await?;
    let Some(through) = through else { return Ok(0) };
    let delete = "delete from fleet.feed_entries where venue_id = $1 and position <= $2";
    let deleted = sqlx::query(delete)
        .bind(venue)
        .bind(through)
        .execute(&mut *conn)
        .await?;
    sqlx::query("update fleet.venues set compacted_to = $2 where venue_id = $1")
        .bind(venue)
        .bind(through)
        .execute(conn)
        .await?;
    Ok(deleted.rows_affected())
}
