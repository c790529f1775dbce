//! What nodes last said of themselves.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::Health;
use eventify_protocol::verdict::Mode;
use uuid::Uuid;

use super::{signed, uuids};
use crate::contexts::fleet::model::health::mode_name;
use eventify_kernel::db::{DbResult, PgConnection};

/// A node's last report.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Report {
    pub(crate) node_id: Uuid,
    pub(crate) seen_at: DateTime<Utc>,
    pub(crate) mode: String,
    pub(crate) mode_since: DateTime<Utc>,
    pub(crate) cache_age_ms: Option<i64>,
    pub(crate) head: i64,
    pub(crate) unacknowledged: i64,
    pub(crate) free_bytes: i64,
    pub(crate) software: String,
}

/// The mode reported before, with the count of changes; the row is locked to commit.
pub(crate) async fn lock_mode(
    conn: &mut PgConnection,
    node: NodeId,
) -> DbResult<Option<(String, i32)>> {
    let row =
        sqlx::query_as("select mode, mode_changes from node_health where node_id = $1 for update")
            .bind(node.as_uuid())
            .fetch_optional(conn)
            .await?;
    Ok(row)
}

/// Notes a report.
pub(crate) async fn note(
    conn: &mut PgConnection,
    node: NodeId,
    health: &Health,
    mode_changes: i32,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into node_health as held (node_id, seen_at, mode, mode_since, mode_changes,
             cache_age_ms, head, unacknowledged, free_bytes, software)
         values ($1, $2, $3, $2, $4, $5, $6, $7, $8, $9)
         on conflict (node_id) do update set seen_at = excluded.seen_at, mode = excluded.mode,
             mode_since = case when held.mode = excluded.mode then held.mode_since
                 else excluded.mode_since end,
             mode_changes = excluded.mode_changes, cache_age_ms = excluded.cache_age_ms,
             head = excluded.head, unacknowledged = excluded.unacknowledged,
             free_bytes = excluded.free_bytes, software = excluded.software",
    )
    .bind(node.as_uuid())
    .bind(now)
    .bind(mode_name(health.mode))
    .bind(mode_changes)
    .bind(health.cache_age_ms.map(signed).transpose()?)
    .bind(signed(health.head.0)?)
    .bind(signed(health.unacknowledged)?)
    .bind(signed(health.free_bytes)?)
    .bind(&health.software)
    .execute(conn)
    .await?;
    Ok(())
}

/// The last reports of these nodes; some may have made none.
pub(crate) async fn of_nodes(conn: &mut PgConnection, nodes: &[NodeId]) -> DbResult<Vec<Report>> {
    let rows = sqlx::query_as(
        "select node_id, seen_at, mode, mode_since, cache_age_ms, head, unacknowledged,
             free_bytes, software
         from node_health where node_id = any($1)",
    )
    .bind(uuids(nodes))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Notes that a node is in another mode than before. `change` counts its changes.
pub(crate) async fn note_change(
    conn: &mut PgConnection,
    node: NodeId,
    change: i32,
    mode: Mode,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into mode_changes (node_id, change, mode, heard_at) values ($1, $2, $3, $4)",
    )
    .bind(node.as_uuid())
    .bind(change)
    .bind(mode_name(mode))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// When nodes of a venue became `Online`, since `from`, in their order.
pub(crate) async fn online_since(
    conn: &mut PgConnection,
    venue: VenueId,
    from: DateTime<Utc>,
) -> DbResult<Vec<(NodeId, DateTime<Utc>)>> {
    let rows: Vec<(Uuid, DateTime<Utc>)> = sqlx::query_as(
        "select node_id, heard_at from mode_changes join nodes using (node_id)
         where venue_id = $1 and mode = $2 and heard_at >= $3 order by node_id, change",
    )
    .bind(venue.as_uuid())
    .bind(mode_name(Mode::Online))
    .bind(from)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(node, at)| (NodeId(node), at))
        .collect())
}
