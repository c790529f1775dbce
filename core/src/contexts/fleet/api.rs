//! What assembly lists beside the routes of the HTTP API, and what inventory asks before a place is sold
//! again.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_kernel::app::App;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{GateId, VenueId};
use eventify_protocol::time::MAX_CACHE_AGE;

use super::NAME;
use super::store::{gates, health};

pub use super::routes::listeners::enrolment::routes as enrolment_routes;
pub(crate) use super::store::health::SilentNode;

/// Reports come each ten seconds; one may be late.
const REPORTS_APART: TimeDelta = TimeDelta::minutes(1);

/// Nodes of a venue that may have let somebody in, by themselves, before they could know what happened at
/// a moment: those that have not been `Online` with that knowledge since. A node that was silent before
/// gates began can't have.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn list_silent(
    app: &App,
    venue: VenueId,
    moment: DateTime<Utc>,
    gates_since: Option<DateTime<Utc>>,
) -> DbResult<Vec<SilentNode>> {
    let heard_since = gates_since.map(|since| since - MAX_CACHE_AGE - REPORTS_APART);
    let mut conn = app.db.read(NAME).await?;
    health::list_silent(&mut conn, venue, moment, heard_since).await
}

/// The names of gates.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn gate_names(app: &App, ids: &[GateId]) -> DbResult<BTreeMap<GateId, String>> {
    let mut conn = app.db.read(NAME).await?;
    gates::list_names(&mut conn, ids).await
}
