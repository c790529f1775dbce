//! What inventory has told of seating plans.

use eventify_protocol::ids::{SeatingPlanId, VenueId};
use eventify_protocol::token::CategoryCode;
use sqlx::Row;
use sqlx::types::Json;

use crate::contexts::event_management::model::performance::KnownPlan;
use eventify_contracts::inventory::{SeatingPlanDefined, VenueFacts};
use eventify_kernel::db::{DbResult, PgConnection};

pub(crate) async fn add(conn: &mut PgConnection, told: &SeatingPlanDefined) -> DbResult<()> {
    sqlx::query(
        "insert into known_plans (seating_plan_id, venue_id, venue_name, owner_id, org_id, shared,
             category_sets)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(told.seating_plan_id.as_uuid())
    .bind(told.venue_id.as_uuid())
    .bind(&told.venue.name)
    .bind(told.venue.owner_id)
    .bind(&told.venue.org_id)
    .bind(told.venue.shared)
    .bind(Json(&told.category_sets))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn rename(
    conn: &mut PgConnection,
    venue: VenueId,
    facts: &VenueFacts,
) -> DbResult<()> {
    sqlx::query("update known_plans set venue_name = $2 where venue_id = $1")
        .bind(venue.as_uuid())
        .bind(&facts.name)
        .execute(conn)
        .await?;
    Ok(())
}

/// The plans of a venue.
pub(crate) async fn of_venue(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<KnownPlan>> {
    let rows = sqlx::query(
        "select seating_plan_id, venue_name, owner_id, org_id, shared, category_sets
         from known_plans where venue_id = $1 order by seating_plan_id",
    )
    .bind(venue.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let Json(category_sets): Json<Vec<Vec<CategoryCode>>> = row.try_get("category_sets")?;
            Ok(KnownPlan {
                id: SeatingPlanId(row.try_get("seating_plan_id")?),
                venue,
                venue_name: row.try_get("venue_name")?,
                owner_id: row.try_get("owner_id")?,
                org_id: row.try_get("org_id")?,
                shared: row.try_get("shared")?,
                category_sets,
            })
        })
        .collect()
}
