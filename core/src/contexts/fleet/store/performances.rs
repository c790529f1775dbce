//! Performances in the venues, and which of them the venues have confirmed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::{PerformanceCancelled, PerformanceFacts};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{PerformanceId, VenueId};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::contexts::fleet::model::alarm::Code;
use crate::contexts::fleet::model::performance::{Confirmation, Performance};

#[derive(FromRow)]
struct Row {
    performance_id: PerformanceId,
    venue_id: VenueId,
    facts: Option<Json<PerformanceFacts>>,
    facts_version: i32,
    version: i32,
    feed_version: i64,
    cancelled: bool,
    confirmed_version: Option<i32>,
    confirmed_at: Option<DateTime<Utc>>,
}

impl From<Row> for Performance {
    fn from(row: Row) -> Self {
        Self {
            id: row.performance_id,
            venue: row.venue_id,
            facts: row.facts.map(|Json(facts)| facts),
            facts_version: row.facts_version,
            version: row.version,
            feed_version: row.feed_version,
            cancelled: row.cancelled,
            confirmed: row
                .confirmed_version
                .zip(row.confirmed_at)
                .map(|(version, at)| Confirmation { version, at }),
        }
    }
}

/// A performance as it was scheduled or moved; older facts than the stored ones change nothing.
/// Returns what is known now.
///
/// Whatever changes the entry raises its version, which is as high as the message's at least: so were
/// the entries of the release before, and it may still write some.
pub(crate) async fn upsert(
    conn: &mut PgConnection,
    id: PerformanceId,
    facts: &PerformanceFacts,
    version: i32,
) -> DbResult<Option<Performance>> {
    sqlx::query(
        "insert into fleet.performances as stored
             (performance_id, venue_id, facts, facts_version, version, feed_version, admits_until,
              awaits_venue)
         values ($1, $2, $3, $4, $4, $4, $5, $6)
         on conflict (performance_id) do update set facts = excluded.facts,
             facts_version = excluded.facts_version,
             version = greatest(stored.version, excluded.version),
             feed_version = greatest(stored.feed_version + 1, stored.version + 1, excluded.version),
             admits_until = excluded.admits_until, awaits_venue = excluded.awaits_venue
         where stored.facts_version < excluded.facts_version",
    )
    .bind(id)
    .bind(facts.venue_id)
    .bind(Json(facts))
    .bind(version)
    .bind(facts.times.admits_until)
    .bind(facts.awaits_venue)
    .execute(&mut *conn)
    .await?;
    lock(conn, id).await
}

/// Cancelled for good. Returns what is known now.
pub(crate) async fn cancel(
    conn: &mut PgConnection,
    cancelled: &PerformanceCancelled,
    version: i32,
) -> DbResult<Option<Performance>> {
    sqlx::query(
        "insert into fleet.performances as stored
             (performance_id, venue_id, version, feed_version, cancelled)
         values ($1, $2, $3, $3, true)
         on conflict (performance_id) do update set cancelled = true,
             version = greatest(stored.version, excluded.version),
             feed_version = greatest(stored.feed_version + 1, stored.version + 1, excluded.version)",
    )
    .bind(cancelled.performance_id)
    .bind(cancelled.venue_id)
    .bind(version)
    .execute(&mut *conn)
    .await?;
    lock(conn, cancelled.performance_id).await
}

pub(crate) async fn lock(
    conn: &mut PgConnection,
    id: PerformanceId,
) -> DbResult<Option<Performance>> {
    let row: Option<Row> = sqlx::query_as(
        "select performance_id, venue_id, facts, facts_version, version,
             greatest(feed_version, version) as feed_version, cancelled, confirmed_version,
             confirmed_at
         from fleet.performances where performance_id = $1 for update",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Performance::from))
}

/// The venue's word. Returns the version of the entry that follows from it.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    id: PerformanceId,
    confirmation: Confirmation,
    by: Uuid,
) -> DbResult<i64> {
    let version = sqlx::query_scalar(
        "update fleet.performances
         set confirmed_version = $2, confirmed_at = $3, confirmed_by = $4,
             feed_version = greatest(feed_version, version) + 1
         where performance_id = $1 returning feed_version",
    )
    .bind(id)
    .bind(confirmation.version)
    .bind(confirmation.at)
    .bind(by)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

/// Raises the version of a performance's entry above the one that the feed has. Returns it; none of a
/// performance that is not known.
pub(crate) async fn raise_feed_version(
    conn: &mut PgConnection,
    id: PerformanceId,
    in_feed: i64,
) -> DbResult<Option<i64>> {
    let version = sqlx::query_scalar(
        "update fleet.performances set feed_version = greatest(feed_version, version, $2) + 1
         where performance_id = $1 returning feed_version",
    )
    .bind(id)
    .bind(in_feed)
    .fetch_optional(conn)
    .await?;
    Ok(version)
}

/// The performances of a venue that admit after a moment, Unix seconds. Nobody changes them meanwhile.
pub(crate) async fn lock_ahead(
    conn: &mut PgConnection,
    venue: VenueId,
    after: i64,
) -> DbResult<Vec<Performance>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select performance_id, venue_id, facts, facts_version, version,
             greatest(feed_version, version) as feed_version, cancelled, confirmed_version,
             confirmed_at
         from fleet.performances where venue_id = $1 and admits_until > to_timestamp($2)
         order by performance_id for update",
    )
    .bind(venue)
    .bind(after)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Performance::from).collect())
}

/// A page of the performances of a venue that are not over, by their end, and how many there are;
/// those alone that wait for the venue's confirmation, if `waiting`.
pub(crate) async fn list_ahead(
    conn: &mut PgConnection,
    venue: VenueId,
    now: DateTime<Utc>,
    waiting: bool,
    (limit, offset): (i64, i64),
) -> DbResult<(Vec<Performance>, i64)> {
    let rows: Vec<Row> = sqlx::query_as(
        "select performance_id, venue_id, facts, facts_version, version,
             greatest(feed_version, version) as feed_version, cancelled, confirmed_version,
             confirmed_at
         from fleet.performances
         where venue_id = $1 and admits_until > $2
             and (not $3 or awaits_venue and not cancelled
                 and coalesce(confirmed_version, 0) < facts_version)
         order by admits_until, performance_id limit $4 offset $5",
    )
    .bind(venue)
    .bind(now)
    .bind(waiting)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from fleet.performances
         where venue_id = $1 and admits_until > $2
             and (not $3 or awaits_venue and not cancelled
                 and coalesce(confirmed_version, 0) < facts_version)",
    )
    .bind(venue)
    .bind(now)
    .bind(waiting)
    .fetch_one(conn)
    .await?;
    Ok((rows.into_iter().map(Performance::from).collect(), total))
}

/// The performances that are over and about which an alarm of this code stands.
pub(crate) async fn list_alarmed_and_over(
    conn: &mut PgConnection,
    code: Code,
    now: DateTime<Utc>,
) -> DbResult<Vec<PerformanceId>> {
    let over = sqlx::query_scalar(
        "select performance_id from fleet.standing_alarms as alarms
         join fleet.performances on performance_id::text = alarms.subject
         where alarms.kind = $1 and alarms.cleared_at is null and admits_until <= $2",
    )
    .bind(code.name())
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(over)
}

/// The performances that admit after one moment and begin to before another, in venues whose staff may look
/// for guests.
pub(crate) async fn list_searchable(
    conn: &mut PgConnection,
    after: DateTime<Utc>,
    before: DateTime<Utc>,
) -> DbResult<Vec<Performance>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select performance_id, venue_id, facts, facts_version, version,
             greatest(feed_version, version) as feed_version, cancelled, confirmed_version,
             confirmed_at
         from fleet.performances
         where venue_id in (select venue_id from fleet.venues where search)
             and admits_until > $1 and (facts->>'admitsFrom')::timestamptz <= $2
         order by performance_id",
    )
    .bind(after)
    .bind(before)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Performance::from).collect())
}

/// The performances of a venue that admit nobody after a moment, Unix seconds.
pub(crate) async fn list_over(
    conn: &mut PgConnection,
    venue: VenueId,
    after: i64,
) -> DbResult<BTreeSet<PerformanceId>> {
    let over: Vec<PerformanceId> = sqlx::query_scalar(
        "select performance_id from fleet.performances
         where venue_id = $1 and admits_until <= to_timestamp($2)",
    )
    .bind(venue)
    .bind(after)
    .fetch_all(conn)
    .await?;
    Ok(over.into_iter().collect())
}

/// Whose show it is: user and organisation, as far as they are known.
pub(crate) async fn find_organiser(
    conn: &mut PgConnection,
    id: PerformanceId,
) -> DbResult<Option<(Option<Uuid>, Option<String>)>> {
    let row = sqlx::query_as(
        "select (facts->>'ownerId')::uuid, facts->>'orgId' from fleet.performances
         where performance_id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}
