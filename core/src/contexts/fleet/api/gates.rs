//! Gates: made and edited by the venue, told to its nodes and to ticketing.

use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::token::CategoryCode;

use super::{FleetError, venues};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::facts;
use crate::contexts::fleet::model::gate::{Gate, MAX_ADMITTED};
use crate::contexts::fleet::model::node::{MAX_NAME_CHARS, clean_name};
use crate::contexts::fleet::store::gates;
use eventify_contracts::fleet::GateUpdated;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, Tx};

/// What somebody wants a gate to be.
#[derive(Debug)]
pub(crate) struct GatePlan {
    pub(crate) name: String,
    pub(crate) performances: Vec<PerformanceId>,
    pub(crate) categories: Vec<CategoryCode>,
}

/// Makes a gate.
pub(crate) async fn add(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    venue_id: VenueId,
    plan: GatePlan,
) -> Result<Gate, FleetError> {
    let GatePlan {
        name,
        performances,
        categories,
    } = check(plan)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::own(&mut tx, principal, venue_id).await?;
    let gate_id = GateId(app.clock.new_id());
    let gate = Gate {
        gate_id,
        venue_id,
        name,
        performances,
        categories,
        version: 1,
    };
    gates::add(&mut tx, &gate, app.clock.now())
        .await
        .map_err(name_taken)?;
    tell(app, tx, &gate).await?;
    Ok(gate)
}

/// Changes a gate from the state that the caller has seen.
pub(crate) async fn edit(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    gate: Gate,
    plan: GatePlan,
) -> Result<Gate, FleetError> {
    let GatePlan {
        name,
        performances,
        categories,
    } = check(plan)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::own(&mut tx, principal, gate.venue_id).await?;
    let gate = gate.edited(name, performances, categories);
    if !gates::update(&mut tx, &gate, app.clock.now())
        .await
        .map_err(name_taken)?
    {
        return Err(FleetError::Stale);
    }
    tell(app, tx, &gate).await?;
    Ok(gate)
}

async fn tell(app: &App, mut tx: Tx, gate: &Gate) -> Result<(), FleetError> {
    venues::state(app, &mut tx, &[(gate.venue_id, facts::of_gate(gate))]).await?;
    let event = GateUpdated {
        gate_id: gate.gate_id,
        venue_id: gate.venue_id,
        name: gate.name.clone(),
        performances: gate.performances.clone(),
        categories: gate.categories.iter().map(ToString::to_string).collect(),
        version: gate.version,
    };
    tx.publish(app.clock.new_id(), gate.version, &event);
    tx.commit().await?;
    Ok(())
}

fn check(plan: GatePlan) -> Result<GatePlan, FleetError> {
    let wanted = format!("1 to {MAX_NAME_CHARS} characters");
    let name = clean_name(&plan.name).ok_or(FleetError::Invalid("name", wanted))?;
    let most = format!("at most {MAX_ADMITTED}");
    if plan.performances.len() > MAX_ADMITTED {
        return Err(FleetError::Invalid("performances", most));
    }
    if plan.categories.len() > MAX_ADMITTED {
        return Err(FleetError::Invalid("categories", most));
    }
    Ok(GatePlan { name, ..plan })
}

fn name_taken(error: DbError) -> FleetError {
    if error.violates("gates_venue_id_name_key") {
        FleetError::NameTaken
    } else {
        error.into()
    }
}
