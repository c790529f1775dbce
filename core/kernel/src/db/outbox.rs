//! The outbox: events that wait for the relay, written in the transaction of the rows that they
//! describe.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::CorrelationId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Db, DbResult};
use crate::cause::Cause;
use crate::event::{DomainEvent, Envelope};

/// A row to be written.
#[derive(Debug)]
pub(super) struct NewRow {
    id: Uuid,
    kind: &'static str,
    routing_key: &'static str,
    aggregate_id: Uuid,
    aggregate_version: i32,
    schema_version: i32,
    tracked: bool,
    projections: Option<Vec<Uuid>>,
    pub(super) payload: Value,
    cause: Cause,
}

impl NewRow {
    pub(super) fn new<E: DomainEvent>(id: Uuid, version: i32, event: &E, cause: &Cause) -> Self {
        Self {
            id,
            kind: E::TYPE,
            routing_key: E::ROUTING_KEY,
            aggregate_id: event.aggregate_id(),
            aggregate_version: version,
            schema_version: E::SCHEMA_VERSION,
            tracked: E::TRACKED,
            projections: event.projections(),
            payload: serde_json::to_value(event).expect("an event's keys are strings"),
            cause: cause.clone(),
        }
    }

    /// As an array's text: rows name different numbers of them, which no array of arrays can.
    fn projections(&self) -> Option<String> {
        let ids = self.projections.as_ref()?.iter().map(Uuid::to_string);
        Some(format!("{{{}}}", ids.collect::<Vec<_>>().join(",")))
    }
}

/// A committed row that the broker hasn't confirmed yet.
#[derive(Debug, sqlx::FromRow)]
pub struct Unpublished {
    /// Order of writing (not of commit; rows are marked one by one, so none is skipped).
    pub position: i64,
    /// Routing key on `domain.events`.
    pub routing_key: String,
    message_id: Uuid,
    kind: String,
    aggregate_id: Uuid,
    aggregate_version: i32,
    schema_version: i32,
    payload: Value,
    correlation_id: Uuid,
    traceparent: Option<String>,
    tracestate: Option<String>,
    created_at: DateTime<Utc>,
}

impl Unpublished {
    /// The message, from its context.
    #[must_use]
    pub fn envelope(self, context: &str) -> Envelope {
        Envelope {
            specversion: "1.0".to_owned(),
            id: self.message_id,
            source: format!("/eventify/{context}"),
            kind: self.kind,
            subject: self.aggregate_id.to_string(),
            time: self.created_at,
            datacontenttype: "application/json".to_owned(),
            data: self.payload,
            correlationid: CorrelationId(self.correlation_id),
            traceparent: self.traceparent,
            tracestate: self.tracestate,
            aggregateversion: self.aggregate_version,
            schemaversion: self.schema_version,
        }
    }
}

/// One statement for all rows; `created_at` is the transaction's `now()`, because the watermark
/// of the sync points relies on a row never being older than its transaction's start.
pub(super) async fn insert(conn: &mut PgConnection, rows: &[NewRow]) -> DbResult<()> {
    let texts = |of: fn(&NewRow) -> &str| rows.iter().map(of).collect::<Vec<_>>();
    let ids = |of: fn(&NewRow) -> Uuid| rows.iter().map(of).collect::<Vec<_>>();
    let numbers = |of: fn(&NewRow) -> i32| rows.iter().map(of).collect::<Vec<_>>();
    let perhaps = |of: fn(&NewRow) -> Option<&str>| rows.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "insert into outbox (message_id, kind, routing_key, aggregate_id, aggregate_version,
             schema_version, feeds_venues, payload, correlation_id, traceparent, tracestate, projections)
         select message_id, kind, routing_key, aggregate_id, aggregate_version, schema_version, tracked,
             payload, correlation_id, traceparent, tracestate, projections::uuid[]
         from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::int[], $6::int[], $7::bool[],
                 $8::jsonb[], $9::uuid[], $10::text[], $11::text[], $12::text[])
             as row (message_id, kind, routing_key, aggregate_id, aggregate_version, schema_version,
                 tracked, payload, correlation_id, traceparent, tracestate, projections)",
    )
    .bind(ids(|row| row.id))
    .bind(texts(|row| row.kind))
    .bind(texts(|row| row.routing_key))
    .bind(ids(|row| row.aggregate_id))
    .bind(numbers(|row| row.aggregate_version))
    .bind(numbers(|row| row.schema_version))
    .bind(rows.iter().map(|row| row.tracked).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.payload).collect::<Vec<_>>())
    .bind(ids(|row| row.cause.correlation.as_uuid()))
    .bind(perhaps(|row| row.cause.traceparent.as_deref()))
    .bind(perhaps(|row| row.cause.tracestate.as_deref()))
    .bind(rows.iter().map(NewRow::projections).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// The oldest rows that wait for the broker and were never refused by it.
///
/// # Errors
/// The query failed.
pub async fn unpublished(conn: &mut PgConnection, limit: u16) -> DbResult<Vec<Unpublished>> {
    let rows = sqlx::query_as(
        "select position, routing_key, message_id, kind, aggregate_id, aggregate_version,
             schema_version, payload, correlation_id, traceparent, tracestate, created_at
         from outbox where published_at is null and retry_at is null order by position limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// A row that the broker refused, whose time to be tried again has come.
///
/// # Errors
/// The query failed.
pub async fn refused(conn: &mut PgConnection) -> DbResult<Option<Unpublished>> {
    let row = sqlx::query_as(
        "select position, routing_key, message_id, kind, aggregate_id, aggregate_version,
             schema_version, payload, correlation_id, traceparent, tracestate, created_at
         from outbox where published_at is null and retry_at <= now() order by retry_at limit 1",
    )
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// A row that the broker refused.
#[derive(Debug, sqlx::FromRow)]
pub struct Refusal {
    /// Its message.
    pub message_id: Uuid,
    /// Type of the message.
    pub kind: String,
    /// How often by now.
    pub refusals: i32,
}

/// Puts a row beside the others: it is tried again after a second, then after twice as long each
/// time, at most ten minutes. Nothing else is forgotten of it; as long as it isn't settled it holds
/// the watermark back.
///
/// # Errors
/// The update failed; the row stays where it was.
pub async fn refuse(conn: &mut PgConnection, position: i64, reason: &str) -> DbResult<Refusal> {
    let row = sqlx::query_as(
        "update outbox set refusals = refusals + 1, refused_because = $2,
             retry_at = now() + least(interval '1 second' * power(2, refusals), '10 minutes')
         where position = $1 returning message_id, kind, refusals",
    )
    .bind(position)
    .bind(reason)
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// The broker has confirmed these. The commit does not wait for the disk: rows whose mark is lost in
/// a crash are published again.
///
/// # Errors
/// The update failed; the rows will be published again, which consumers tolerate.
pub async fn mark_published(conn: &mut PgConnection, positions: &[i64]) -> DbResult<()> {
    sqlx::query(
        "update outbox set published_at = now()
         from (select set_config('synchronous_commit', 'off', true)) as unhurried
         where position = any($1)",
    )
    .bind(positions)
    .execute(conn)
    .await?;
    Ok(())
}

/// The projection holds the effect of these tracked messages. Marking again changes nothing.
///
/// # Errors
/// The update failed; the oldest open row stays until it is tried again.
pub async fn mark_projected(conn: &mut PgConnection, message_ids: &[Uuid]) -> DbResult<()> {
    sqlx::query(
        "update outbox set settled_at = now() where message_id = any($1) and settled_at is null",
    )
    .bind(message_ids)
    .execute(conn)
    .await?;
    Ok(())
}

/// Start of the oldest transaction with a tracked event that this projection may wait for and doesn't
/// hold yet. What another one waits for does not count.
///
/// # Errors
/// The query failed.
pub async fn oldest_unprojected(
    conn: &mut PgConnection,
    projection: Uuid,
) -> DbResult<Option<DateTime<Utc>>> {
    // Two indexes: nearly all rows name one projection, and of those of another none is read.
    let oldest = sqlx::query_scalar(
        "select least(
             (select min(created_at) from outbox where feeds_venues and settled_at is null
                 and cardinality(projections) = 1 and projections[1] = $1),
             (select min(created_at) from outbox where feeds_venues and settled_at is null
                 and cardinality(projections) is distinct from 1
                 and (projections is null or $1 = any(projections))))",
    )
    .bind(projection)
    .fetch_one(conn)
    .await?;
    Ok(oldest)
}

/// The same of another context's outbox, in the transaction of one: seen in the snapshot of that
/// transaction. For the rest of it the connection has the other context's rights, and only those.
///
/// # Errors
/// The query failed, or the other context lies in another database.
pub async fn oldest_unprojected_of(
    tx: &mut PgConnection,
    context: &str,
    projection: Uuid,
) -> DbResult<Option<DateTime<Utc>>> {
    sqlx::query("select set_config('role', $1, true), set_config('search_path', $2, true)")
        .bind(super::role_of(context))
        .bind(format!("\"{context}\",public"))
        .execute(&mut *tx)
        .await?;
    oldest_unprojected(tx, projection).await
}

/// How long the oldest row of a context has waited for a projection, by the clock of its own database.
///
/// # Errors
/// The query failed.
pub async fn age_of_unprojected(
    db: &Db,
    context: &'static str,
    projection: Uuid,
) -> DbResult<Option<TimeDelta>> {
    let mut conn = db.read(context).await?;
    let oldest = oldest_unprojected(&mut conn, projection).await?;
    let now: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&mut *conn)
        .await?;
    Ok(oldest.map(|oldest| (now - oldest).max(TimeDelta::zero())))
}

/// What a projection has waited for too long.
#[derive(Debug, sqlx::FromRow)]
pub struct Overdue {
    /// None: perhaps every one.
    pub projection: Option<Uuid>,
    /// How many messages.
    pub messages: i64,
    /// The oldest of them, with its type, and since when.
    pub message_id: Uuid,
    pub kind: String,
    pub seconds: i64,
}

/// Tracked events that are not projected after so many seconds, by projection.
///
/// # Errors
/// The query failed.
pub async fn list_overdue(conn: &mut PgConnection, seconds: u32) -> DbResult<Vec<Overdue>> {
    let rows = sqlx::query_as(
        "select distinct on (projection) projection, message_id, kind,
             count(*) over (partition by projection) as messages,
             extract(epoch from now() - created_at)::bigint as seconds
         from outbox left join unnest(projections) as projection on true
         where feeds_venues and settled_at is null and created_at < now() - $1 * interval '1 second'
             and (projections is null or projection is not null)
         order by projection, created_at",
    )
    .bind(i64::from(seconds))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Every message of an outbox with its type and whether the broker has it: what tests settle by.
///
/// # Errors
/// The query failed.
pub async fn written(conn: &mut PgConnection) -> DbResult<Vec<(Uuid, String, bool)>> {
    let rows = sqlx::query_as(
        "select message_id, kind, published_at is not null from outbox order by position",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// What waits for the broker longer than it should.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Standing {
    /// How many rows; none: all is well.
    pub(crate) waiting: i64,
    pub(crate) oldest_at: Option<DateTime<Utc>>,
    /// Of those, how many the broker has refused, and what it said to one.
    pub(crate) refused: i64,
    pub(crate) refused_because: Option<String>,
}

/// Rows that have waited so long. The database's clock wrote their times, and is asked.
pub(crate) async fn list_standing(conn: &mut PgConnection, since: TimeDelta) -> DbResult<Standing> {
    let standing = sqlx::query_as(
        "select count(*) as waiting, min(created_at) as oldest_at, count(retry_at) as refused,
             max(refused_because) as refused_because
         from (select created_at, retry_at, refused_because from outbox
               where published_at is null and created_at < now() - $1 * interval '1 second'
               order by position limit 10000) as rows",
    )
    .bind(since.num_seconds())
    .fetch_one(conn)
    .await?;
    Ok(standing)
}
