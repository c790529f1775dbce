//! Gates: created and edited by the venue; its nodes and ticketing follow.

use eventify_contracts::fleet::GateUpdated;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, Tx};
use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::text;
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{FleetError, feed, venues};
use crate::contexts::fleet::model::entries;
use crate::contexts::fleet::model::gate::{Gate, MAX_ADMITTED};
use crate::contexts::fleet::model::node::clean_name;
use crate::contexts::fleet::store::{gates, venues as venue_rows};
use crate::contexts::fleet::{App, NAME};

/// The wanted properties of a gate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GatePlan {
    pub(crate) name: String,
    pub(crate) performances: Vec<PerformanceId>,
    pub(crate) categories: Vec<CategoryCode>,
}

/// Creates a gate.
pub(crate) async fn create(
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
    must_be_free(&mut tx, venue_id, &name, None).await?;
    let gate = Gate {
        gate_id: GateId(app.clock.new_id()),
        venue_id,
        name,
        performances,
        categories,
        version: 1,
    };
    gates::insert(&mut tx, &gate, app.clock.now())
        .await
        .map_err(|error| name_taken(error, &gate.name))?;
    publish(app, tx, &gate).await?;
    Ok(gate)
}

/// Edits a gate of which the caller has read this version.
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
    must_be_free(&mut tx, gate.venue_id, &name, Some(gate.gate_id)).await?;
    let gate = gate.edited(name, performances, categories);
    let is_next = gates::update(&mut tx, &gate, app.clock.now())
        .await
        .map_err(|error| name_taken(error, &gate.name))?;
    if !is_next {
        return Err(FleetError::Stale);
    }
    publish(app, tx, &gate).await?;
    Ok(gate)
}

/// Publishes a gate to the feed and to the other contexts, and commits.
async fn publish(app: &App, mut tx: Tx, gate: &Gate) -> Result<(), FleetError> {
    let entry = (gate.venue_id, entries::gate(gate));
    feed::enqueue_own(app, &mut tx, vec![entry]).await?;
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
    let name =
        clean_name(&plan.name).map_err(|unfit| FleetError::Invalid("name", unfit.to_string()))?;
    let counts = [
        ("performances", plan.performances.len()),
        ("categories", plan.categories.len()),
    ];
    if let Some((field, given)) = counts.into_iter().find(|(_, given)| *given > MAX_ADMITTED) {
        let issue = format!("must be at most {MAX_ADMITTED}; given: {given}");
        return Err(FleetError::Invalid(field, issue));
    }
    Ok(GatePlan { name, ..plan })
}

/// People take names for one that differ in case alone. Until the transaction ends, nobody names another gate of the
/// venue.
async fn must_be_free(
    tx: &mut Tx,
    venue: VenueId,
    name: &str,
    of: Option<GateId>,
) -> Result<(), FleetError> {
    venue_rows::lock(tx, venue).await?;
    let others = gates::list(tx, venue).await?.into_iter();
    let mut others = others.filter(|gate| Some(gate.gate_id) != of);
    match others.find(|gate| text::key(&gate.name) == text::key(name)) {
        Some(gate) => Err(FleetError::NameTaken(gate.name)),
        None => Ok(()),
    }
}

fn name_taken(error: DbError, name: &str) -> FleetError {
    if error.violates("gates_venue_id_name_key") {
        FleetError::NameTaken(name.to_owned())
    } else {
        error.into()
    }
}
