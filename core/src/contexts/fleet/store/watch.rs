//! Nodes, each with the show that its gates are next needed for and its last report.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{NodeId, PerformanceId, VenueId};
use uuid::Uuid;

use crate::contexts::fleet::model::watch::{LastReport, READY_BEFORE, Show, Watched};

#[derive(sqlx::FromRow)]
struct Row {
    node_id: NodeId,
    venue_id: VenueId,
    max_cache_age_ms: i32,
    performance_id: Option<PerformanceId>,
    title: Option<String>,
    owner_id: Option<Uuid>,
    org_id: Option<String>,
    admits_from: Option<DateTime<Utc>>,
    seen_at: Option<DateTime<Utc>>,
    mode: Option<String>,
    mode_since: Option<DateTime<Utc>>,
    cache_age_ms: Option<i64>,
    unacknowledged: Option<i64>,
    free_bytes: Option<i64>,
    journal_fault: Option<String>,
}

impl From<Row> for Watched {
    fn from(row: Row) -> Self {
        let show = row.performance_id.zip(row.admits_from);
        let last = row.seen_at.zip(row.mode).zip(row.mode_since);
        Self {
            node_id: row.node_id,
            venue_id: row.venue_id,
            max_cache_age_ms: row.max_cache_age_ms,
            show: show.map(|(performance_id, admits_from)| Show {
                performance_id,
                title: row.title.unwrap_or_default(),
                owner_id: row.owner_id,
                org_id: row.org_id,
                admits_from,
            }),
            last: last.map(|((seen_at, mode), mode_since)| LastReport {
                seen_at,
                mode,
                mode_since,
                cache_age_ms: row.cache_age_ms,
                unacknowledged: row.unacknowledged.unwrap_or_default(),
                free_bytes: row.free_bytes.unwrap_or_default(),
                journal_fault: row.journal_fault,
            }),
        }
    }
}

/// All nodes in service. A show is one that the venue has accepted, that one of the node's gates admits
/// to, and that admits now or within an hour: of several the one that began first.
pub(crate) async fn list(conn: &mut PgConnection, now: DateTime<Utc>) -> DbResult<Vec<Watched>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select node_id, nodes.venue_id, max_cache_age_ms, performance_id, title, show.owner_id,
             show.org_id,
             admits_from, seen_at, mode, mode_since, cache_age_ms, unacknowledged, free_bytes, journal_fault
         from fleet.nodes join fleet.venues on venues.venue_id = nodes.venue_id
             left join fleet.node_health using (node_id)
             left join lateral (
                 select performance_id, facts->>'eventTitle' as title,
                     (facts->>'ownerId')::uuid as owner_id, facts->>'orgId' as org_id,
                     (facts->>'admitsFrom')::timestamptz as admits_from
                 from fleet.performances as planned
                 where planned.venue_id = nodes.venue_id and facts is not null and not cancelled
                     and (not awaits_venue or coalesce(confirmed_version, 0) >= facts_version)
                     and admits_until > $1 and (facts->>'admitsFrom')::timestamptz <= $2
                     and exists (select from fleet.gates where gate_id = any(nodes.gates)
                         and (performances = '{}' or planned.performance_id = any(performances)))
                 order by admits_from, performance_id limit 1
             ) as show on true
         where enrolled_at is not null and revoked_at is null
         order by node_id",
    )
    .bind(now)
    .bind(now + READY_BEFORE)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Watched::from).collect())
}
