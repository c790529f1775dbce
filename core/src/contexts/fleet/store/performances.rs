//! Performances in the venues, and which of them the venues have confirmed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::{PerformanceCancelled, PerformanceFacts};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{PerformanceId, VenueId};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::contexts::fleet::model::performance::{Performance, Word};

/// Of a [`Row`].
macro_rules! columns {
    () => {
        "performance_id, venue_id, facts, facts_version, version,
             greatest(feed_version, version) as feed_version, cancelled, confirmed_version,
             confirmed_at, declined_version, declined_at"
    };
}

/// The venue is asked, and has said nothing of the newest facts: `Performance::is_waiting`.
macro_rules! waits {
    () => {
        "awaits_venue and not cancelled
                 and greatest(confirmed_version, declined_version, 0) < facts_version"
    };
}

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
    declined_version: Option<i32>,
    declined_at: Option<DateTime<Utc>>,
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
                .map(|(version, at)| Word { version, at }),
            declined: row
                .declined_version
                .zip(row.declined_at)
                .map(|(version, at)| Word { version, at }),
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
    let row: Option<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        "
         from fleet.performances where performance_id = $1 for update"
    ))
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Performance::from))
}

/// The venue's word. Returns the version of the entry that follows from it.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    id: PerformanceId,
    confirmation: Word,
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

/// The venue's word that it does not admit to it. Its feed has no entry of it, and gets none.
pub(crate) async fn decline(
    conn: &mut PgConnection,
    id: PerformanceId,
    refusal: Word,
    by: Uuid,
) -> DbResult<()> {
    sqlx::query(
        "update fleet.performances set declined_version = $2, declined_at = $3, declined_by = $4
         where performance_id = $1",
    )
    .bind(id)
    .bind(refusal.version)
    .bind(refusal.at)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// The performances of an organiser that wait for a venue, locked; so many at most.
pub(crate) async fn lock_waiting(
    conn: &mut PgConnection,
    (venue, organiser): (VenueId, Uuid),
    now: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<Performance>> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        "
         from fleet.performances
         where venue_id = $1 and (facts->>'ownerId')::uuid = $2 and admits_until > $3
             and ",
        waits!(),
        "
         order by performance_id limit $4 for update"
    ))
    .bind(venue)
    .bind(organiser)
    .bind(now)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Performance::from).collect())
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
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        "
         from fleet.performances where venue_id = $1 and admits_until > to_timestamp($2)
         order by performance_id for update"
    ))
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
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        "
         from fleet.performances
         where venue_id = $1 and admits_until > $2
             and (not $3 or ",
        waits!(),
        ")
         order by admits_until, performance_id limit $4 offset $5"
    ))
    .bind(venue)
    .bind(now)
    .bind(waiting)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(concat!(
        "select count(*) from fleet.performances
         where venue_id = $1 and admits_until > $2
             and (not $3 or ",
        waits!(),
        ")",
    ))
    .bind(venue)
    .bind(now)
    .bind(waiting)
    .fetch_one(conn)
    .await?;
    Ok((rows.into_iter().map(Performance::from).collect(), total))
}

/// The performances of one organiser that wait for a venue.
#[derive(Debug, FromRow)]
pub(crate) struct Waiting {
    pub(crate) venue_id: VenueId,
    pub(crate) organiser_id: Uuid,
    pub(crate) performances: i64,
    /// The one whose gates open first.
    pub(crate) first_id: PerformanceId,
    pub(crate) first_title: String,
    pub(crate) first_admits_from: DateTime<Utc>,
}

/// What waits for the venues, by organiser: shows that are not over.
pub(crate) async fn list_waiting(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> DbResult<Vec<Waiting>> {
    let waiting = sqlx::query_as(concat!(
        "select distinct on (venue_id, organiser_id) venue_id, organiser_id,
             count(*) over (partition by venue_id, organiser_id) as performances,
             performance_id as first_id, title as first_title, admits_from as first_admits_from
         from (select venue_id, performance_id, (facts->>'ownerId')::uuid as organiser_id,
                   facts->>'eventTitle' as title, (facts->>'admitsFrom')::timestamptz as admits_from
               from fleet.performances
               where admits_until > $1 and ",
        waits!(),
        ") as waiting
         order by venue_id, organiser_id, admits_from, performance_id",
    ))
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(waiting)
}

/// The performances that admit after one moment and begin to before another, in venues whose staff may look
/// for guests.
pub(crate) async fn list_searchable(
    conn: &mut PgConnection,
    after: DateTime<Utc>,
    before: DateTime<Utc>,
) -> DbResult<Vec<Performance>> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        "
         from fleet.performances
         where venue_id in (select venue_id from fleet.venues where search)
             and admits_until > $1 and (facts->>'admitsFrom')::timestamptz <= $2
         order by performance_id"
    ))
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
