//! Performances, as event_management publishes them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::{PerformanceFacts, PerformanceTimes};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{EventId, PerformanceId, UserId, VenueId};
use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow};

use crate::contexts::ticketing::model::{Performance, Window};

/// The columns of a [`ShowRow`], of a row `show`.
pub(super) const COLUMNS: &str = "show.performance_id as show_performance_id, \
    show.event_id as show_event_id, show.event_title as show_event_title, \
    show.owner_id as show_owner_id, show.org_id as show_org_id, show.venue_id as show_venue_id, \
    show.doors_at as show_doors_at, show.start_time as show_start_time, \
    show.ends_at as show_ends_at, show.admits_from as show_admits_from, \
    show.admits_until as show_admits_until, show.guests_from as show_guests_from, \
    show.guests_until as show_guests_until, show.restarts_at as show_restarts_at, \
    exists (select from ticketing.cancelled_performances as cancelled \
        where cancelled.performance_id = show.performance_id) as show_cancelled, \
    not show.awaits_venue or exists (select from ticketing.confirmed_performances as confirmed \
        where confirmed.performance_id = show.performance_id \
            and confirmed.version >= show.version) as show_accepted";

#[derive(FromRow)]
pub(super) struct ShowRow {
    show_performance_id: PerformanceId,
    show_event_id: EventId,
    show_event_title: String,
    show_owner_id: UserId,
    show_org_id: Option<String>,
    show_venue_id: VenueId,
    show_doors_at: DateTime<Utc>,
    show_start_time: DateTime<Utc>,
    show_ends_at: Option<DateTime<Utc>>,
    show_admits_from: Option<DateTime<Utc>>,
    show_admits_until: Option<DateTime<Utc>>,
    show_guests_from: Option<DateTime<Utc>>,
    show_guests_until: Option<DateTime<Utc>>,
    show_restarts_at: Option<DateTime<Utc>>,
    show_cancelled: bool,
    show_accepted: bool,
}

impl From<ShowRow> for Performance {
    fn from(row: ShowRow) -> Self {
        // The release before writes no window: the narrowest that its columns say, until
        // event_management has published the performance again.
        let end = row.show_ends_at.unwrap_or(row.show_start_time);
        Self {
            id: row.show_performance_id,
            event_id: row.show_event_id,
            event_title: row.show_event_title,
            owner_id: row.show_owner_id,
            org_id: row.show_org_id,
            venue_id: row.show_venue_id,
            times: PerformanceTimes {
                start_time: row.show_start_time,
                doors_at: row.show_doors_at,
                ends_at: row.show_ends_at,
                admits_from: row.show_admits_from.unwrap_or(row.show_doors_at),
                admits_until: row.show_admits_until.unwrap_or(end),
                restarts_at: row.show_restarts_at,
            },
            moved: row
                .show_guests_from
                .zip(row.show_guests_until)
                .map(|(from, until)| Window { from, until }),
            cancelled: row.show_cancelled,
            accepted: row.show_accepted,
        }
    }
}

#[derive(Serialize)]
struct NewRow {
    performance_id: PerformanceId,
    event_id: EventId,
    event_title: String,
    owner_id: UserId,
    org_id: Option<String>,
    venue_id: VenueId,
    doors_at: DateTime<Utc>,
    start_time: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    admits_from: DateTime<Utc>,
    admits_until: DateTime<Utc>,
    guests_from: Option<DateTime<Utc>>,
    guests_until: Option<DateTime<Utc>>,
    restarts_at: Option<DateTime<Utc>>,
    awaits_venue: bool,
    version: i32,
}

/// A performance as it was scheduled or moved at a time. An older version than the stored one changes
/// nothing.
pub(crate) async fn upsert_performance(
    conn: &mut PgConnection,
    (id, version): (PerformanceId, i32),
    facts: PerformanceFacts,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let before = lock_performance(conn, id).await?;
    let guests = before.and_then(|it| it.guests(now));
    let row = NewRow {
        performance_id: id,
        event_id: facts.event_id,
        event_title: facts.event_title,
        owner_id: facts.owner_id.into(),
        org_id: facts.org_id,
        venue_id: facts.venue_id,
        doors_at: facts.times.doors_at,
        start_time: facts.times.start_time,
        ends_at: facts.times.ends_at,
        admits_from: facts.times.admits_from,
        admits_until: facts.times.admits_until,
        guests_from: guests.map(|it| it.from),
        guests_until: guests.map(|it| it.until),
        restarts_at: facts.times.restarts_at,
        awaits_venue: facts.awaits_venue,
        version,
    };
    insert_rows(
        conn,
        "insert into ticketing.performances as stored",
        &[row],
        "on conflict (performance_id) do update set event_title = excluded.event_title,
             owner_id = excluded.owner_id, org_id = excluded.org_id, venue_id = excluded.venue_id,
             doors_at = excluded.doors_at, start_time = excluded.start_time,
             ends_at = excluded.ends_at, admits_from = excluded.admits_from,
             admits_until = excluded.admits_until, guests_from = excluded.guests_from,
             guests_until = excluded.guests_until, restarts_at = excluded.restarts_at,
             awaits_venue = excluded.awaits_venue,
             version = excluded.version
         where stored.version < excluded.version",
    )
    .await?;
    Ok(())
}

async fn lock_performance(
    conn: &mut PgConnection,
    id: PerformanceId,
) -> DbResult<Option<Performance>> {
    let row: Option<ShowRow> = sqlx::query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from ticketing.performances as show where performance_id = $1
         for update of show"
    )))
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Performance::from))
}

pub(crate) async fn insert_cancelled_performance(
    conn: &mut PgConnection,
    id: PerformanceId,
) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.cancelled_performances (performance_id) values ($1)
         on conflict do nothing",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_confirmed_performance(
    conn: &mut PgConnection,
    id: PerformanceId,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.confirmed_performances as stored (performance_id, version)
         values ($1, $2)
         on conflict (performance_id) do update
             set version = greatest(stored.version, excluded.version)",
    )
    .bind(id)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn list_performances(
    conn: &mut PgConnection,
    ids: &[PerformanceId],
) -> DbResult<BTreeMap<PerformanceId, Performance>> {
    let rows: Vec<ShowRow> = sqlx::query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from ticketing.performances as show where performance_id = any($1)"
    )))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let shows = rows.into_iter().map(Performance::from);
    Ok(shows.map(|show| (show.id, show)).collect())
}

/// How many tickets of a performance can still be used although their tokens end before it does.
pub(crate) async fn count_outlived_tokens(
    conn: &mut PgConnection,
    id: PerformanceId,
) -> DbResult<i64> {
    let count = sqlx::query_scalar(
        "select count(*) from ticketing.tickets
         join ticketing.performances using (performance_id)
         where performance_id = $1 and status = 'valid'
             and to_timestamp(expiry) < coalesce(admits_until, ends_at, start_time)",
    )
    .bind(id)
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Owner and organisation of an event that has a performance.
pub(crate) async fn find_organiser(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Option<(UserId, Option<String>)>> {
    let organiser = sqlx::query_as(
        "select owner_id, org_id from ticketing.performances where event_id = $1
         order by version desc limit 1",
    )
    .bind(event)
    .fetch_optional(conn)
    .await?;
    Ok(organiser)
}

/// When the last performance ends, or begins, if its end is not planned.
pub(crate) async fn find_end_of_programme(
    conn: &mut PgConnection,
) -> DbResult<Option<DateTime<Utc>>> {
    let last =
        sqlx::query_scalar("select max(coalesce(ends_at, start_time)) from ticketing.performances")
            .fetch_one(conn)
            .await?;
    Ok(last)
}
