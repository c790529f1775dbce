//! Venues and their seating plans.

use chrono::TimeDelta;
use eventify_contracts::inventory::{SeatingPlanDefined, VenueCreated, VenueUpdated};
use eventify_kernel::app::App;
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, PgConnection, Tx};
use eventify_protocol::ids::{SeatingPlanId, VenueId};
use eventify_protocol::text;

use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::plan::{Plan, PlanError, PlanSpec};
use crate::contexts::inventory::model::venue::{InvalidVenue, Owner, Venue, VenueDetails};
use crate::contexts::inventory::store::{plans, venues};

const MAX_PLANS: usize = 50;
/// Seats and zones: a plan of a few lines is 50,000 rows, beside which customers' holds are written.
const MAX_PLANNED_AN_HOUR: i64 = 200_000;

#[derive(Debug, thiserror::Error)]
pub(crate) enum VenueError {
    #[error("there is no such venue")]
    UnknownVenue,
    #[error("there is no such seating plan")]
    UnknownPlan,
    #[error("the venue belongs to another organiser")]
    Foreign,
    #[error("the venue was edited at the same time")]
    Stale,
    #[error("the venue already has a seating plan of this name: '{0}'")]
    PlanExists(String),
    #[error("a venue has at most {MAX_PLANS} seating plans: use those that are there")]
    TooManyPlans,
    #[error(
        "at most {MAX_PLANNED_AN_HOUR} seats and zones are planned within an hour for the venues of one owner, and \
         these would be {0}: define the rest later"
    )]
    TooMuchPlanned(i64),
    #[error(transparent)]
    Invalid(#[from] InvalidVenue),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Db(#[from] DbError),
}

pub(crate) async fn create(
    app: &App,
    cause: &Cause,
    owner: &Principal,
    details: VenueDetails,
) -> Result<Venue, VenueError> {
    let id = VenueId(app.clock.new_id());
    let venue = Venue::new(id, owner, details, app.clock.now())?;
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::insert(&mut tx, &venue).await?;
    let created = VenueCreated {
        venue_id: id,
        facts: venue.facts(),
    };
    tx.publish(app.clock.new_id(), venue.version, &created);
    tx.commit().await?;
    Ok(venue)
}

/// A venue that the caller manages, in a transaction for [`edit`].
pub(crate) async fn begin_edit(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: VenueId,
) -> Result<(Tx, Venue), VenueError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let venue = find_managed(&mut tx, caller, id).await?;
    Ok((tx, venue))
}

pub(crate) async fn edit(
    app: &App,
    mut tx: Tx,
    venue: Venue,
    details: VenueDetails,
) -> Result<Venue, VenueError> {
    let venue = venue.edit(details, app.clock.now())?;
    if !venues::update(&mut tx, &venue).await? {
        return Err(VenueError::Stale);
    }
    let updated = VenueUpdated {
        venue_id: venue.id,
        facts: venue.facts(),
    };
    tx.publish(app.clock.new_id(), venue.version, &updated);
    tx.commit().await?;
    Ok(venue)
}

pub(crate) async fn define_plan(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    venue_id: VenueId,
    spec: PlanSpec,
) -> Result<(SeatingPlanId, Plan), VenueError> {
    let plan = Plan::define(spec, || app.clock.new_id())?;
    let id = SeatingPlanId(app.clock.new_id());
    let mut tx = app.db.begin(NAME, cause).await?;
    let venue = find_managed(&mut tx, caller, venue_id).await?;
    let names = plans::lock_names(&mut tx, venue_id).await?;
    if names.len() >= MAX_PLANS {
        return Err(VenueError::TooManyPlans);
    }
    let key = text::key(&plan.name);
    if let Some(twin) = names.into_iter().find(|name| text::key(name) == key) {
        return Err(VenueError::PlanExists(twin));
    }
    let inserted = plans::insert(&mut tx, id, venue_id, &plan, app.clock.now()).await;
    inserted.map_err(|error| {
        if error.violates("seating_plans_venue_id_name_key") {
            VenueError::PlanExists(plan.name.clone())
        } else {
            error.into()
        }
    })?;
    must_be_within_the_hour(app, &mut tx, caller, &venue.owner).await?;
    let defined = SeatingPlanDefined {
        seating_plan_id: id,
        name: plan.name.clone(),
        venue_id,
        venue: venue.facts(),
        seats: u32::try_from(plan.seats.len()).expect("at most MAX_SEATS"),
        zones: u32::try_from(plan.zones.len()).expect("at most MAX_ZONES"),
        zone_capacity: plan.zone_capacity(),
        category_sets: plan.category_sets(),
    };
    tx.publish(app.clock.new_id(), 1, &defined);
    tx.commit().await?;
    Ok((id, plan))
}

/// What the plan's owner has planned, with what this transaction adds. An administrator may exceed it.
async fn must_be_within_the_hour(
    app: &App,
    tx: &mut Tx,
    caller: &Principal,
    owner: &Owner,
) -> Result<(), VenueError> {
    let since = app.clock.now() - TimeDelta::hours(1);
    let planned = plans::count_planned(tx, owner, since).await?;
    if planned > MAX_PLANNED_AN_HOUR && !caller.has_role(Role::Admin) {
        return Err(VenueError::TooMuchPlanned(planned));
    }
    Ok(())
}

/// The venue of a seating plan, if the caller may use it.
pub(crate) async fn venue_of_plan(
    conn: &mut PgConnection,
    caller: &Principal,
    id: SeatingPlanId,
) -> Result<VenueId, VenueError> {
    let venue = plans::find_venue(conn, id).await?;
    let venue = venue.ok_or(VenueError::UnknownPlan)?;
    find_visible(conn, caller, venue).await?;
    Ok(venue)
}

/// A venue that the caller may use.
pub(crate) async fn find_visible(
    conn: &mut PgConnection,
    caller: &Principal,
    id: VenueId,
) -> Result<Venue, VenueError> {
    let venue = venues::find(conn, id).await?;
    let venue = venue.ok_or(VenueError::UnknownVenue)?;
    if venue.is_visible_to(caller) {
        return Ok(venue);
    }
    Err(VenueError::Foreign)
}

async fn find_managed(
    conn: &mut PgConnection,
    caller: &Principal,
    id: VenueId,
) -> Result<Venue, VenueError> {
    let venue = find_visible(conn, caller, id).await?;
    if venue.owner.is(caller) {
        return Ok(venue);
    }
    Err(VenueError::Foreign)
}
