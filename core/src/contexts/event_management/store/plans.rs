//! The seating plans and names of venues that inventory has published.

use chrono::{DateTime, Utc};
use eventify_contracts::inventory::{SeatingPlanDefined, VenueFacts};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{SeatingPlanId, VenueId};
use eventify_protocol::token::CategoryCode;
use eventify_protocol::zone::TimeZone;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::event_management::model::performance::KnownPlan;

#[derive(FromRow, Serialize)]
struct PlanRow {
    seating_plan_id: SeatingPlanId,
    venue_id: VenueId,
    venue_name: String,
    time_zone: Option<String>,
    owner_id: Uuid,
    org_id: Option<String>,
    shared: bool,
    #[sqlx(json)]
    category_sets: Vec<Vec<CategoryCode>>,
    seats: i64,
    zones: i64,
}

pub(crate) async fn insert(conn: &mut PgConnection, plan: SeatingPlanDefined) -> DbResult<()> {
    let row = PlanRow {
        seating_plan_id: plan.seating_plan_id,
        venue_id: plan.venue_id,
        venue_name: plan.venue.name,
        time_zone: Some(plan.venue.time_zone.name().to_owned()),
        owner_id: plan.venue.owner_id,
        org_id: plan.venue.org_id,
        shared: plan.venue.shared,
        category_sets: plan.category_sets,
        seats: plan.seats.into(),
        zones: plan.zones.into(),
    };
    let insert = "insert into event_management.known_plans";
    insert_rows(conn, insert, &[row], "on conflict do nothing").await?;
    Ok(())
}

/// An older version than the stored one changes nothing.
pub(crate) async fn upsert_venue(
    conn: &mut PgConnection,
    venue: VenueId,
    facts: &VenueFacts,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into event_management.known_venues as known (venue_id, name, version, time_zone)
         values ($1, $2, $3, $4)
         on conflict (venue_id) do update set name = excluded.name,
             time_zone = excluded.time_zone, version = excluded.version
         where known.version < excluded.version",
    )
    .bind(venue)
    .bind(&facts.name)
    .bind(version)
    .bind(facts.time_zone.name())
    .execute(conn)
    .await?;
    Ok(())
}

/// The plans of a venue.
pub(crate) async fn list(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<KnownPlan>> {
    let rows: Vec<PlanRow> = sqlx::query_as(
        "select seating_plan_id, venue_id, coalesce(name, venue_name) as venue_name,
             coalesce(known_venues.time_zone, known_plans.time_zone) as time_zone, owner_id, org_id, shared, category_sets,
             seats, zones
         from event_management.known_plans
             left join event_management.known_venues using (venue_id)
         where venue_id = $1 order by seating_plan_id",
    )
    .bind(venue)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(KnownPlan::from).collect())
}

/// What was scheduled for an organiser's events since a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Scheduled {
    pub(crate) performances: i64,
    pub(crate) seats: i64,
    pub(crate) zones: i64,
}

/// By whom ever: an organisation is one organiser. Of one, transactions that count end one after the other.
pub(crate) async fn count_scheduled(
    conn: &mut PgConnection,
    owner: Uuid,
    org: Option<&str>,
    since: DateTime<Utc>,
) -> DbResult<Scheduled> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended(coalesce($2, $1::text), 0))")
        .bind(owner)
        .bind(org)
        .execute(&mut *conn)
        .await?;
    let scheduled = sqlx::query_as(
        "select count(*) as performances, coalesce(sum(plan.seats), 0)::bigint as seats,
             coalesce(sum(plan.zones), 0)::bigint as zones
         from event_management.performances as show
             join event_management.events using (event_id)
             join event_management.known_plans as plan using (seating_plan_id)
         where show.created_at > $3 and (events.owner_id = $1 or events.org_id = $2)",
    )
    .bind(owner)
    .bind(org)
    .bind(since)
    .fetch_one(conn)
    .await?;
    Ok(scheduled)
}

impl From<PlanRow> for KnownPlan {
    fn from(row: PlanRow) -> Self {
        Self {
            id: row.seating_plan_id,
            venue: row.venue_id,
            venue_name: row.venue_name,
            zone: TimeZone::or_utc(row.time_zone.as_deref()),
            owner_id: row.owner_id,
            org_id: row.org_id,
            shared: row.shared,
            category_sets: row.category_sets,
            seats: row.seats,
            zones: row.zones,
        }
    }
}
