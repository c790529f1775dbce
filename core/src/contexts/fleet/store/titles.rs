//! Titles of events, which change without their performances.

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{EventId, PerformanceId};

/// A title of an event, with the version of the event that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Title {
    pub(crate) text: String,
    pub(crate) version: i32,
}

/// The newest title of an event. Nobody else changes it, or the titles of its performances, until the
/// transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, event: EventId) -> DbResult<Option<Title>> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('title ' || $1::text, 0))")
        .bind(event)
        .execute(&mut *conn)
        .await?;
    let found: Option<(String, i32)> =
        sqlx::query_as("select title, version from fleet.event_titles where event_id = $1")
            .bind(event)
            .fetch_optional(conn)
            .await?;
    Ok(found.map(|(text, version)| Title { text, version }))
}

/// Sets the title of an event that this transaction has locked, and that of its performances. Returns those
/// that had another one; their entries have a new version.
pub(crate) async fn update(
    conn: &mut PgConnection,
    event: EventId,
    title: &Title,
) -> DbResult<Vec<PerformanceId>> {
    sqlx::query(
        "insert into fleet.event_titles (event_id, title, version) values ($1, $2, $3)
         on conflict (event_id) do update set title = excluded.title, version = excluded.version",
    )
    .bind(event)
    .bind(&title.text)
    .bind(title.version)
    .execute(&mut *conn)
    .await?;
    let renamed = sqlx::query_scalar(
        "update fleet.performances
         set facts = facts || jsonb_build_object('eventTitle', $2::text, 'eventVersion', $3::int),
             feed_version = greatest(feed_version, version) + 1
         where (facts->>'eventId')::uuid = $1 and facts is not null
             and coalesce((facts->>'eventVersion')::int, 0) < $3 and facts->>'eventTitle' <> $2
         returning performance_id",
    )
    .bind(event)
    .bind(&title.text)
    .bind(title.version)
    .fetch_all(conn)
    .await?;
    Ok(renamed)
}
