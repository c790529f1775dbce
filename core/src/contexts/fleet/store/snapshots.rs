//! Snapshots as stored objects: one position, one hash, the same bytes for everybody.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{SnapshotId, VenueId};
use eventify_protocol::sync::{Digest, Epoch, Position};
use uuid::Uuid;

use super::{hash, signed, unsigned};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// A snapshot without its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) id: SnapshotId,
    pub(crate) venue: VenueId,
    pub(crate) epoch: Epoch,
    pub(crate) position: Position,
    pub(crate) digest: Digest,
    pub(crate) chunks: u32,
    pub(crate) hash: Hash32,
}

const COLUMNS: &str = "snapshot_id, venue_id, epoch_system, epoch_timeline, position, digest, \
     chunks, hash";

#[derive(sqlx::FromRow)]
struct Row {
    snapshot_id: Uuid,
    venue_id: Uuid,
    epoch_system: i64,
    epoch_timeline: i32,
    position: i64,
    digest: Vec<u8>,
    chunks: i32,
    hash: Vec<u8>,
}

impl Row {
    fn snapshot(self) -> DbResult<Snapshot> {
        Ok(Snapshot {
            id: SnapshotId(self.snapshot_id),
            venue: VenueId(self.venue_id),
            epoch: Epoch {
                system: self.epoch_system.cast_unsigned(),
                timeline: self.epoch_timeline.cast_unsigned(),
            },
            position: Position(unsigned(self.position)?),
            digest: Digest(hash(&self.digest)?),
            chunks: u32::try_from(self.chunks).map_err(DbError::impossible_row)?,
            hash: hash(&self.hash)?,
        })
    }
}

/// The newest snapshot of a venue, if it is at or behind a position and of this database.
pub(crate) async fn newest(
    conn: &mut PgConnection,
    venue: VenueId,
    epoch: Epoch,
    from: Position,
) -> DbResult<Option<Snapshot>> {
    let query = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from snapshots
         where venue_id = $1 and epoch_system = $2 and epoch_timeline = $3 and position >= $4
         order by position desc limit 1"
    ));
    let row: Option<Row> = sqlx::query_as(query)
        .bind(venue.as_uuid())
        .bind(epoch.system.cast_signed())
        .bind(epoch.timeline.cast_signed())
        .bind(signed(from.0)?)
        .fetch_optional(conn)
        .await?;
    row.map(Row::snapshot).transpose()
}

pub(crate) async fn add(
    conn: &mut PgConnection,
    snapshot: &Snapshot,
    chunks: &[Vec<u8>],
) -> DbResult<()> {
    sqlx::query(
        "insert into snapshots (snapshot_id, venue_id, epoch_system, epoch_timeline, position,
             digest, chunks, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(snapshot.id.as_uuid())
    .bind(snapshot.venue.as_uuid())
    .bind(snapshot.epoch.system.cast_signed())
    .bind(snapshot.epoch.timeline.cast_signed())
    .bind(signed(snapshot.position.0)?)
    .bind(snapshot.digest.0.0.as_slice())
    .bind(i32::try_from(snapshot.chunks).map_err(DbError::impossible_row)?)
    .bind(snapshot.hash.0.as_slice())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into snapshot_chunks (snapshot_id, chunk, bytes)
         select $1, place - 1, bytes from unnest($2::bytea[]) with ordinality as row (bytes, place)",
    )
    .bind(snapshot.id.as_uuid())
    .bind(chunks)
    .execute(conn)
    .await?;
    Ok(())
}

/// A venue's snapshot, which somebody is about to pull: compaction spares what follows it.
pub(crate) async fn pulled(
    conn: &mut PgConnection,
    id: SnapshotId,
    venue: VenueId,
) -> DbResult<Option<Snapshot>> {
    let query = sqlx::AssertSqlSafe(format!(
        "update snapshots set pulled_at = now() where snapshot_id = $1 and venue_id = $2
         returning {COLUMNS}"
    ));
    let row: Option<Row> = sqlx::query_as(query)
        .bind(id.as_uuid())
        .bind(venue.as_uuid())
        .fetch_optional(conn)
        .await?;
    row.map(Row::snapshot).transpose()
}

/// Some chunks of it, in order.
pub(crate) async fn chunks(
    conn: &mut PgConnection,
    id: SnapshotId,
    from: u32,
    count: u32,
) -> DbResult<Vec<(u32, Vec<u8>)>> {
    let rows: Vec<(i32, Vec<u8>)> = sqlx::query_as(
        "select chunk, bytes from snapshot_chunks
         where snapshot_id = $1 and chunk >= $2 order by chunk limit $3",
    )
    .bind(id.as_uuid())
    .bind(i64::from(from))
    .bind(i64::from(count))
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(index, bytes)| {
            Ok((
                u32::try_from(index).map_err(DbError::impossible_row)?,
                bytes,
            ))
        })
        .collect()
}

/// Removes snapshots that nobody has pulled since, except each venue's newest.
pub(crate) async fn sweep(conn: &mut PgConnection, unused_since: DateTime<Utc>) -> DbResult<u64> {
    let done = sqlx::query(
        "delete from snapshots as old where pulled_at < $1 and exists (
             select from snapshots as newer
             where newer.venue_id = old.venue_id and newer.created_at > old.created_at)",
    )
    .bind(unused_since)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
