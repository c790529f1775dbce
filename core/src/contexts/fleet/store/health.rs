//! The last health report of each node, and their changes of mode.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::Health;
use eventify_protocol::verdict::Mode;
use serde::Serialize;

use super::signed;
use crate::contexts::fleet::model::health::{fault_name, mode_name};

/// A node's last report. With another number the mode is another one than before, also if it has the
/// same name: there was one between.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub(crate) struct NodeHealth {
    pub(crate) node_id: NodeId,
    pub(crate) seen_at: DateTime<Utc>,
    pub(crate) mode: String,
    pub(crate) mode_since: DateTime<Utc>,
    pub(crate) mode_changes: i32,
    pub(crate) cache_age_ms: Option<i64>,
    pub(crate) head: i64,
    pub(crate) unacknowledged: i64,
    pub(crate) free_bytes: i64,
    pub(crate) software: String,
    pub(crate) mode_number: Option<i64>,
    pub(crate) unreadable: Option<i64>,
    pub(crate) journal_fault: Option<String>,
}

impl NodeHealth {
    /// A report that follows the one before it.
    pub(crate) fn new(
        node_id: NodeId,
        report: &Health,
        before: Option<&Self>,
        now: DateTime<Utc>,
    ) -> DbResult<Self> {
        let mode = mode_name(report.mode);
        let mode_number = report.mode_number.map(i64::from);
        let same = before.filter(|before| {
            let counted = before.mode_number.zip(mode_number);
            before.mode == mode && counted.is_none_or(|(before, now)| before == now)
        });
        let changes = before.map_or(0, |before| before.mode_changes);
        Ok(Self {
            node_id,
            seen_at: now,
            mode: mode.to_owned(),
            mode_since: same.map_or(now, |before| before.mode_since),
            mode_changes: changes + i32::from(same.is_none()),
            cache_age_ms: report.cache_age_ms.map(signed).transpose()?,
            head: signed(report.head.0)?,
            unacknowledged: signed(report.unacknowledged)?,
            free_bytes: signed(report.free_bytes)?,
            software: report.software.clone(),
            mode_number,
            unreadable: report.unreadable.map(signed).transpose()?,
            journal_fault: report.journal_fault.map(|it| fault_name(it).to_owned()),
        })
    }
}

macro_rules! select_health {
    ($condition:literal) => {
        concat!(
            "select node_id, seen_at, mode, mode_since, mode_changes, cache_age_ms, head,
                 unacknowledged, free_bytes, software, mode_number, unreadable, journal_fault
             from fleet.node_health where ",
            $condition
        )
    };
}

/// The last report, locked to commit. A node's first reports have no row yet: they wait for each other at
/// the node's own, so that none is lost beside another.
pub(crate) async fn lock(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<NodeHealth>> {
    if let Some(health) = find_locked(conn, node).await? {
        return Ok(Some(health));
    }
    sqlx::query("select from fleet.nodes where node_id = $1 for update")
        .bind(node)
        .execute(&mut *conn)
        .await?;
    find_locked(conn, node).await
}

async fn find_locked(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<NodeHealth>> {
    let row = sqlx::query_as(select_health!("node_id = $1 for update"))
        .bind(node)
        .fetch_optional(conn)
        .await?;
    Ok(row)
}

pub(crate) async fn upsert(conn: &mut PgConnection, health: &NodeHealth) -> DbResult<()> {
    insert_rows(
        conn,
        "insert into fleet.node_health",
        &[health],
        "on conflict (node_id) do update set seen_at = excluded.seen_at, mode = excluded.mode,
             mode_since = excluded.mode_since, mode_changes = excluded.mode_changes,
             cache_age_ms = excluded.cache_age_ms, head = excluded.head,
             unacknowledged = excluded.unacknowledged, free_bytes = excluded.free_bytes,
             software = excluded.software, mode_number = excluded.mode_number,
             unreadable = excluded.unreadable, journal_fault = excluded.journal_fault",
    )
    .await?;
    Ok(())
}

/// The last reports of these nodes; some may have made none.
pub(crate) async fn list(conn: &mut PgConnection, nodes: &[NodeId]) -> DbResult<Vec<NodeHealth>> {
    let rows = sqlx::query_as(select_health!("node_id = any($1)"))
        .bind(nodes)
        .fetch_all(conn)
        .await?;
    Ok(rows)
}

/// A node of which nobody knows whom it let in.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct SilentNode {
    pub(crate) label: String,
    pub(crate) gates: Vec<String>,
    pub(crate) heard_at: DateTime<Utc>,
}

/// A node whose journal may have more than the core has.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct NotHeard {
    pub(crate) node_id: NodeId,
    pub(crate) label: String,
    pub(crate) gates: Vec<String>,
    pub(crate) heard_at: DateTime<Utc>,
    pub(crate) mode: String,
    pub(crate) unacknowledged: i64,
}

/// Enrolled nodes that have reported since a moment, and last not that they were `Online` with all of their
/// journal at the core, or not lately.
pub(crate) async fn list_not_heard(
    conn: &mut PgConnection,
    venue: VenueId,
    (since, lately): (DateTime<Utc>, DateTime<Utc>),
) -> DbResult<Vec<NotHeard>> {
    let rows = sqlx::query_as(
        "select node_id, label, array(select name from fleet.gates
                 where gate_id = any(nodes.gates) order by name) as gates,
             seen_at as heard_at, mode, unacknowledged
         from fleet.nodes join fleet.node_health using (node_id)
         where venue_id = $1 and revoked_at is null and seen_at >= $2
             and not (mode = $4 and unacknowledged = 0 and seen_at >= $3)
         order by label",
    )
    .bind(venue)
    .bind(since)
    .bind(lately)
    .bind(mode_name(Mode::Online))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Enrolled nodes that have reported since `heard_since`, and last not that they were `Online` with a
/// cache from after a moment: whoever is `Online` has told whom it admitted alone (`ADMISSION` 2).
pub(crate) async fn list_silent(
    conn: &mut PgConnection,
    venue: VenueId,
    moment: DateTime<Utc>,
    heard_since: Option<DateTime<Utc>>,
) -> DbResult<Vec<SilentNode>> {
    let rows = sqlx::query_as(
        "select label, array(select name from fleet.gates
                 where gate_id = any(nodes.gates) order by name) as gates, seen_at as heard_at
         from fleet.nodes join fleet.node_health using (node_id)
         where venue_id = $1 and revoked_at is null and ($4::timestamptz is null or seen_at >= $4)
             and not (mode = $3 and cache_age_ms is not null
                 and seen_at - cache_age_ms * interval '1 millisecond' >= $2)
         order by label",
    )
    .bind(venue)
    .bind(moment)
    .bind(mode_name(Mode::Online))
    .bind(heard_since)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Inserts the change to the mode of this report.
pub(crate) async fn insert_change(conn: &mut PgConnection, health: &NodeHealth) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.mode_changes (node_id, change, mode, heard_at) values ($1, $2, $3, $4)",
    )
    .bind(health.node_id)
    .bind(health.mode_changes)
    .bind(&health.mode)
    .bind(health.seen_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// How many changes of mode a node has reported within a day.
pub(crate) async fn changes_of_day(conn: &mut PgConnection, node: NodeId) -> DbResult<i64> {
    let changes = sqlx::query_scalar(
        "select count(*) from fleet.mode_changes
         where node_id = $1 and heard_at > now() - interval '1 day'",
    )
    .bind(node)
    .fetch_one(conn)
    .await?;
    Ok(changes)
}

/// When nodes of a venue became `Online`, since `from`, in order for each node.
pub(crate) async fn list_online_since(
    conn: &mut PgConnection,
    venue: VenueId,
    from: DateTime<Utc>,
) -> DbResult<Vec<(NodeId, DateTime<Utc>)>> {
    let rows = sqlx::query_as(
        "select node_id, heard_at from fleet.mode_changes join fleet.nodes using (node_id)
         where venue_id = $1 and mode = $2 and heard_at >= $3 order by node_id, change",
    )
    .bind(venue)
    .bind(mode_name(Mode::Online))
    .bind(from)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
