//! Snapshots as stored objects: one position, one hash, the same bytes for every node.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{SnapshotId, VenueId};
use eventify_protocol::sync::{Digest, Epoch, Position};

use super::signed;

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

#[derive(sqlx::FromRow)]
struct Row {
    snapshot_id: SnapshotId,
    venue_id: VenueId,
    epoch_system: i64,
    epoch_timeline: i32,
    #[sqlx(try_from = "i64")]
    position: u64,
    digest: [u8; 32],
    #[sqlx(try_from = "i32")]
    chunks: u32,
    hash: [u8; 32],
}

impl From<Row> for Snapshot {
    fn from(row: Row) -> Self {
        Self {
            id: row.snapshot_id,
            venue: row.venue_id,
            epoch: Epoch {
                system: row.epoch_system.cast_unsigned(),
                timeline: row.epoch_timeline.cast_unsigned(),
            },
            position: Position(row.position),
            digest: Digest(Hash32(row.digest)),
            chunks: row.chunks,
            hash: Hash32(row.hash),
        }
    }
}

/// Which snapshot needs no newer one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// At or after this position, however old;
    pub(crate) position: Position,
    /// or at or after this one,
    pub(crate) young_position: Position,
    /// if it is no older than this.
    pub(crate) young_seconds: u32,
}

/// The newest snapshot of a venue, if it is fresh and of this database.
pub(crate) async fn find_newest(
    conn: &mut PgConnection,
    venue: VenueId,
    epoch: Epoch,
    fresh: Freshness,
) -> DbResult<Option<Snapshot>> {
    let row: Option<Row> = sqlx::query_as(
        "select snapshot_id, venue_id, epoch_system, epoch_timeline, position, digest, chunks, hash
         from fleet.snapshots
         where venue_id = $1 and epoch_system = $2 and epoch_timeline = $3
             and (position >= $4
                 or position >= $5 and created_at > now() - $6 * interval '1 second')
         order by position desc limit 1",
    )
    .bind(venue)
    .bind(epoch.system.cast_signed())
    .bind(epoch.timeline.cast_signed())
    .bind(signed(fresh.position.0)?)
    .bind(signed(fresh.young_position.0)?)
    .bind(i64::from(fresh.young_seconds))
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    snapshot: &Snapshot,
    chunks: &[Vec<u8>],
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.snapshots (snapshot_id, venue_id, epoch_system, epoch_timeline, position,
             digest, chunks, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(snapshot.id)
    .bind(snapshot.venue)
    .bind(snapshot.epoch.system.cast_signed())
    .bind(snapshot.epoch.timeline.cast_signed())
    .bind(signed(snapshot.position.0)?)
    .bind(snapshot.digest.0.0)
    .bind(i32::try_from(snapshot.chunks).map_err(DbError::impossible_row)?)
    .bind(snapshot.hash.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into fleet.snapshot_chunks (snapshot_id, chunk, bytes)
         select $1, place - 1, bytes from unnest($2::bytea[]) with ordinality as row (bytes, place)",
    )
    .bind(snapshot.id)
    .bind(chunks)
    .execute(conn)
    .await?;
    Ok(())
}

/// A venue's snapshot that a node is about to pull: compaction keeps the entries after it.
pub(crate) async fn mark_pulled(
    conn: &mut PgConnection,
    id: SnapshotId,
    venue: VenueId,
) -> DbResult<Option<Snapshot>> {
    let row: Option<Row> = sqlx::query_as(
        "update fleet.snapshots set pulled_at = now() where snapshot_id = $1 and venue_id = $2
         returning snapshot_id, venue_id, epoch_system, epoch_timeline, position, digest, chunks,
             hash",
    )
    .bind(id)
    .bind(venue)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

#[derive(sqlx::FromRow)]
struct ChunkRow {
    #[sqlx(try_from = "i32")]
    chunk: u32,
    bytes: Vec<u8>,
}

/// Some chunks of a snapshot with their indexes, in order.
pub(crate) async fn list_chunks(
    conn: &mut PgConnection,
    id: SnapshotId,
    from: u32,
    count: u32,
) -> DbResult<Vec<(u32, Vec<u8>)>> {
    let rows: Vec<ChunkRow> = sqlx::query_as(
        "select chunk, bytes from fleet.snapshot_chunks
         where snapshot_id = $1 and chunk >= $2 order by chunk limit $3",
    )
    .bind(id)
    .bind(i64::from(from))
    .bind(i64::from(count))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.chunk, row.bytes)).collect())
}

/// Deletes snapshots that no node has pulled since, except each venue's newest.
pub(crate) async fn delete_unused(
    conn: &mut PgConnection,
    unused_since: DateTime<Utc>,
) -> DbResult<u64> {
    let done = sqlx::query(
        "delete from fleet.snapshots as old where pulled_at < $1 and exists (
             select from fleet.snapshots as newer
             where newer.venue_id = old.venue_id and newer.created_at > old.created_at)",
    )
    .bind(unused_since)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
