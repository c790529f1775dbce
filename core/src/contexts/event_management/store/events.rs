//! Events.

use eventify_protocol::ids::EventId;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use crate::contexts::event_management::model::event::{Details, Event, Status};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const EVENT: &str = "event_id, owner_id, org_id, title, description, city, tags, status, \
                     published_at, created_at, updated_at, version";

pub(crate) async fn add(conn: &mut PgConnection, event: &Event) -> DbResult<()> {
    sqlx::query(
        "insert into events (event_id, owner_id, org_id, title, description, city, tags, status,
             published_at, created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(event.id.as_uuid())
    .bind(event.owner_id)
    .bind(&event.org_id)
    .bind(&event.details.title)
    .bind(&event.details.description)
    .bind(&event.details.city)
    .bind(&event.details.tags)
    .bind(event.status.name())
    .bind(event.published_at())
    .bind(event.created_at)
    .bind(event.updated_at)
    .bind(event.version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: EventId) -> DbResult<Option<Event>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "select {EVENT} from events where event_id = $1"
    )))
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(event).transpose()
}

/// An event, its performances and prices are changed under this lock only.
pub(crate) async fn lock(conn: &mut PgConnection, id: EventId) -> DbResult<Option<Event>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "select {EVENT} from events where event_id = $1 for update"
    )))
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(event).transpose()
}

/// Writes a changed event; its row is locked.
pub(crate) async fn save(conn: &mut PgConnection, event: &Event) -> DbResult<()> {
    sqlx::query(
        "update events set title = $2, description = $3, city = $4, tags = $5, status = $6,
             published_at = $7, updated_at = $8, version = $9
         where event_id = $1",
    )
    .bind(event.id.as_uuid())
    .bind(&event.details.title)
    .bind(&event.details.description)
    .bind(&event.details.city)
    .bind(&event.details.tags)
    .bind(event.status.name())
    .bind(event.published_at())
    .bind(event.updated_at)
    .bind(event.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// The events that a caller runs, newest first, and how many there are.
pub(crate) async fn run_by(
    conn: &mut PgConnection,
    caller: &Principal,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<Event>, i64)> {
    const MINE: &str = "($1 or owner_id = $2 or org_id = $3)";
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select {EVENT} from events where {MINE}
         order by created_at desc, event_id limit $4 offset $5"
    )))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(AssertSqlSafe(format!(
        "select count(*) from events where {MINE}"
    )))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .fetch_one(conn)
    .await?;
    Ok((rows.iter().map(event).collect::<DbResult<_>>()?, total))
}

fn event(row: &PgRow) -> DbResult<Event> {
    let status: String = row.try_get("status")?;
    let status = Status::of(&status, row.try_get("published_at")?)
        .ok_or_else(|| DbError::impossible_row(format!("event {status} by its publication")))?;
    Ok(Event {
        id: EventId(row.try_get("event_id")?),
        owner_id: row.try_get("owner_id")?,
        org_id: row.try_get("org_id")?,
        details: Details {
            title: row.try_get("title")?,
            description: row.try_get("description")?,
            city: row.try_get("city")?,
            tags: row.try_get("tags")?,
        },
        status,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        version: row.try_get("version")?,
    })
}
