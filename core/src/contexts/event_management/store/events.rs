//! Events.

use chrono::{DateTime, Utc};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::EventId;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::event_management::model::event::{Details, Event, Status};

#[derive(FromRow, Serialize)]
struct EventRow {
    event_id: EventId,
    owner_id: Uuid,
    org_id: Option<String>,
    title: String,
    description: String,
    city: Option<String>,
    tags: Vec<String>,
    status: String,
    published_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

macro_rules! select_events {
    ($condition:expr) => {
        concat!(
            "select event_id, owner_id, org_id, title, description, city, tags, status,
                 published_at, created_at, updated_at, version
             from event_management.events where ",
            $condition
        )
    };
}

macro_rules! managed {
    () => {
        "($1 or owner_id = $2 or org_id = $3)"
    };
}

pub(crate) async fn insert(conn: &mut PgConnection, event: &Event) -> DbResult<()> {
    let details = event.details.clone();
    let row = EventRow {
        event_id: event.id,
        owner_id: event.owner_id,
        org_id: event.org_id.clone(),
        title: details.title,
        description: details.description,
        city: details.city,
        tags: details.tags,
        status: event.status.name().to_owned(),
        published_at: event.published_at(),
        created_at: event.created_at,
        updated_at: event.updated_at,
        version: event.version,
    };
    insert_rows(conn, "insert into event_management.events", &[row], "").await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: EventId) -> DbResult<Option<Event>> {
    find_one(conn, select_events!("event_id = $1"), id).await
}

/// An event, its performances and prices are changed under this lock only.
pub(crate) async fn lock(conn: &mut PgConnection, id: EventId) -> DbResult<Option<Event>> {
    find_one(conn, select_events!("event_id = $1 for update"), id).await
}

async fn find_one(
    conn: &mut PgConnection,
    query: &'static str,
    id: EventId,
) -> DbResult<Option<Event>> {
    let row: Option<EventRow> = sqlx::query_as(query).bind(id).fetch_optional(conn).await?;
    row.map(Event::try_from).transpose()
}

/// Writes a changed event; its row is locked.
pub(crate) async fn update(conn: &mut PgConnection, event: &Event) -> DbResult<()> {
    sqlx::query(
        "update event_management.events set title = $2, description = $3, city = $4, tags = $5,
             status = $6, published_at = $7, updated_at = $8, version = $9
         where event_id = $1",
    )
    .bind(event.id)
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

/// The events that a caller manages, newest first, and how many there are.
pub(crate) async fn list_managed_by(
    conn: &mut PgConnection,
    caller: &Principal,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<Event>, i64)> {
    let rows: Vec<EventRow> = sqlx::query_as(select_events!(concat!(
        managed!(),
        " order by created_at desc, event_id limit $4 offset $5"
    )))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(concat!(
        "select count(*) from event_management.events where ",
        managed!()
    ))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .fetch_one(conn)
    .await?;
    let events = rows.into_iter().map(Event::try_from);
    Ok((events.collect::<DbResult<_>>()?, total))
}

impl TryFrom<EventRow> for Event {
    type Error = DbError;

    fn try_from(row: EventRow) -> DbResult<Self> {
        let status = Status::of(&row.status, row.published_at).ok_or_else(|| {
            let (status, at) = (row.status, row.published_at);
            DbError::impossible_row(format!("event is {status}, published at {at:?}"))
        })?;
        Ok(Self {
            id: row.event_id,
            owner_id: row.owner_id,
            org_id: row.org_id,
            details: Details {
                title: row.title,
                description: row.description,
                city: row.city,
                tags: row.tags,
            },
            status,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}
