//! Keys of holders, and the tickets whose holders the feed has.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{NodeId, PerformanceId, TicketId, VenueId};
use eventify_protocol::sync::{HolderKey, PerformanceKey};

use super::column;

/// A key with how far order's list was read under it.
#[derive(Clone, Debug)]
pub(crate) struct StoredKey {
    pub(crate) venue: VenueId,
    pub(crate) key: PerformanceKey,
    pub(crate) pass: Pass,
}

/// Where the reading of order's list is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    /// What changed since; none: all.
    pub(crate) since: Option<DateTime<Utc>>,
    /// When it began, while it is under way.
    pub(crate) began: Option<DateTime<Utc>>,
    /// The last ticket that was read.
    pub(crate) after: Option<TicketId>,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    venue_id: VenueId,
    performance_id: PerformanceId,
    key: [u8; 32],
    wipe_at: DateTime<Utc>,
    pass_since: Option<DateTime<Utc>>,
    pass_began: Option<DateTime<Utc>>,
    pass_after: Option<TicketId>,
}

impl From<KeyRow> for StoredKey {
    fn from(row: KeyRow) -> Self {
        Self {
            venue: row.venue_id,
            key: PerformanceKey {
                performance: row.performance_id,
                key: HolderKey::from_bytes(row.key),
                wipe_at: row.wipe_at.timestamp(),
            },
            pass: Pass {
                since: row.pass_since,
                began: row.pass_began,
                after: row.pass_after,
            },
        }
    }
}

/// All keys there are, those that are wiped first before the others.
pub(crate) async fn list_keys(conn: &mut PgConnection) -> DbResult<Vec<StoredKey>> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "select venue_id, performance_id, key, wipe_at, pass_since, pass_began, pass_after
         from fleet.holder_keys order by wipe_at, performance_id",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The key of a performance, locked to commit.
pub(crate) async fn lock_key(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<StoredKey>> {
    let row: Option<KeyRow> = sqlx::query_as(
        "select venue_id, performance_id, key, wipe_at, pass_since, pass_began, pass_after
         from fleet.holder_keys where performance_id = $1 for update",
    )
    .bind(performance)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The keys of a venue, as its nodes may have them; none if its staff may not look for guests.
pub(crate) async fn list_keys_of(
    conn: &mut PgConnection,
    venue: VenueId,
) -> DbResult<Option<Vec<PerformanceKey>>> {
    let is_on: Option<bool> =
        sqlx::query_scalar("select search from fleet.venues where venue_id = $1")
            .bind(venue)
            .fetch_optional(&mut *conn)
            .await?;
    if is_on != Some(true) {
        return Ok(None);
    }
    let rows: Vec<KeyRow> = sqlx::query_as(
        "select venue_id, performance_id, key, wipe_at, pass_since, pass_began, pass_after
         from fleet.holder_keys where venue_id = $1 order by performance_id",
    )
    .bind(venue)
    .fetch_all(conn)
    .await?;
    let keys = rows.into_iter().map(|row| StoredKey::from(row).key);
    Ok(Some(keys.collect()))
}

/// Inserts a performance's key, unless it has one; its time to be wiped is this one either way. True if
/// anything has changed.
pub(crate) async fn upsert_key(
    conn: &mut PgConnection,
    (venue, performance): (VenueId, PerformanceId),
    key: &HolderKey,
    wipe_at: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into fleet.holder_keys as stored (performance_id, venue_id, key, wipe_at)
         values ($1, $2, $3, $4)
         on conflict (performance_id) do update set wipe_at = excluded.wipe_at
         where stored.wipe_at <> excluded.wipe_at",
    )
    .bind(performance)
    .bind(venue)
    .bind(key.as_bytes().as_slice())
    .bind(wipe_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn delete_key(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query("delete from fleet.holder_keys where performance_id = $1")
        .bind(performance)
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn update_pass(
    conn: &mut PgConnection,
    performance: PerformanceId,
    pass: Pass,
) -> DbResult<()> {
    sqlx::query(
        "update fleet.holder_keys set pass_since = $2, pass_began = $3, pass_after = $4
         where performance_id = $1",
    )
    .bind(performance)
    .bind(pass.since)
    .bind(pass.began)
    .bind(pass.after)
    .execute(conn)
    .await?;
    Ok(())
}

/// What the feed has of these tickets' holders.
pub(crate) async fn list_contents(
    conn: &mut PgConnection,
    tickets: &[TicketId],
) -> DbResult<BTreeMap<TicketId, Hash32>> {
    let rows: Vec<(TicketId, [u8; 32])> =
        sqlx::query_as("select ticket_id, content from fleet.holders where ticket_id = any($1)")
            .bind(tickets)
            .fetch_all(conn)
            .await?;
    let contents = rows.into_iter().map(|(id, content)| (id, Hash32(content)));
    Ok(contents.collect())
}

pub(crate) async fn upsert(
    conn: &mut PgConnection,
    (venue, performance): (VenueId, PerformanceId),
    holders: &[(TicketId, Hash32)],
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.holders (ticket_id, venue_id, performance_id, content)
         select ticket_id, $1, $2, content from unnest($3::uuid[], $4::bytea[]) as row (ticket_id, content)
         on conflict (ticket_id) do update set venue_id = excluded.venue_id,
             performance_id = excluded.performance_id, content = excluded.content",
    )
    .bind(venue)
    .bind(performance)
    .bind(column(holders, |(ticket, _)| *ticket))
    .bind(column(holders, |(_, content)| content.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes out some tickets whose performance has no key any more.
pub(crate) async fn take_without_key(
    conn: &mut PgConnection,
    limit: i64,
) -> DbResult<Vec<(VenueId, TicketId)>> {
    let rows = sqlx::query_as(
        "delete from fleet.holders where ticket_id in (
             select ticket_id from fleet.holders as held where not exists (
                 select from fleet.holder_keys where performance_id = held.performance_id)
             limit $1 for update skip locked)
         returning venue_id, ticket_id",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// As many versions, each above all before it.
pub(crate) async fn next_versions(conn: &mut PgConnection, count: usize) -> DbResult<Vec<u64>> {
    let count = i64::try_from(count).map_err(DbError::impossible_row)?;
    let versions: Vec<i64> =
        sqlx::query_scalar("select nextval('fleet.holder_versions') from generate_series(1, $1)")
            .bind(count)
            .fetch_all(conn)
            .await?;
    let versions = versions.into_iter().map(u64::try_from);
    versions
        .collect::<Result<_, _>>()
        .map_err(DbError::impossible_row)
}

/// Nodes in service of venues that have keys.
pub(crate) async fn list_nodes(conn: &mut PgConnection) -> DbResult<Vec<(VenueId, NodeId)>> {
    let rows = sqlx::query_as(
        "select venue_id, node_id from fleet.nodes
         where enrolled_at is not null and revoked_at is null
             and exists (select from fleet.holder_keys where venue_id = nodes.venue_id)
         order by venue_id, node_id",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
