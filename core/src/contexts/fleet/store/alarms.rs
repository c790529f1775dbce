//! What somebody has to look at.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{NodeId, VenueId};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::uuids;
use crate::contexts::fleet::model::alarm::Alarm;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_kernel::http::Paging;

/// One line of the list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Raised {
    pub(crate) alarm_id: Uuid,
    pub(crate) code: String,
    pub(crate) venue_id: Option<Uuid>,
    pub(crate) node_id: Option<Uuid>,
    pub(crate) first_at: DateTime<Utc>,
    pub(crate) last_at: DateTime<Utc>,
    pub(crate) occurrences: i64,
    pub(crate) details: Json<Value>,
}

/// Raises an alarm, or counts it up if it stands for today.
pub(crate) async fn raise(
    conn: &mut PgConnection,
    id: Uuid,
    alarm: &Alarm,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into alarms as held (alarm_id, code, venue_id, node_id, raised_on, first_at,
             last_at, occurrences, details)
         values ($1, $2, $3, $4, $5, $6, $6, 1, $7)
         on conflict (code, node_id, venue_id, raised_on) do update
         set last_at = excluded.last_at, occurrences = held.occurrences + 1,
             details = excluded.details",
    )
    .bind(id)
    .bind(alarm.code.as_ref())
    .bind(alarm.venue.map(VenueId::as_uuid))
    .bind(alarm.node.map(NodeId::as_uuid))
    .bind(now.date_naive())
    .bind(now)
    .bind(Json(&alarm.details))
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest first: of these venues, or all, those of no venue included.
pub(crate) async fn page(
    conn: &mut PgConnection,
    venues: Option<&[VenueId]>,
    paging: Paging,
) -> DbResult<(Vec<Raised>, i64)> {
    let venues = venues.map(uuids);
    let rows = sqlx::query_as(
        "select alarm_id, code, venue_id, node_id, first_at, last_at, occurrences, details
         from alarms where $1::uuid[] is null or venue_id = any($1)
         order by last_at desc, alarm_id offset $2 limit $3",
    )
    .bind(&venues)
    .bind(paging.offset())
    .bind(paging.limit())
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from alarms where $1::uuid[] is null or venue_id = any($1)",
    )
    .bind(&venues)
    .fetch_one(conn)
    .await?;
    Ok((rows, total))
}
