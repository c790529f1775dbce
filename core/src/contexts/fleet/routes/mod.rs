//! Fleet's routes: those for venue IT on the core's HTTP server, those for nodes and the broker on
//! listeners of their own.

mod alarms;
mod gates;
mod journals;
pub(super) mod listeners;
mod nodes;
mod performances;
mod reports;
mod scanners;
mod searches;
mod staff;
mod venues;

use axum::http::HeaderName;
use axum::http::header::LOCATION;
use eventify_kernel::auth::Role;
use eventify_kernel::http::{ApiError, Json, Policy, Routes, StatusCode};

use super::App;
use super::acts::FleetError;
use super::model::authority::AuthorityError;
use super::model::node::ClaimRefused;
use super::model::renewal::{PermissionRefused, RenewalRefused};

/// Those who run a venue.
const RUNS_VENUE: Policy = Policy::roles(&[Role::VenueIt, Role::Admin])
    .owner("venue.owner_id, venue.org_id or venue_operators");
/// Those who appoint them.
const OWNS_VENUE: Policy = Policy::roles(&[Role::Organizer, Role::VenueIt, Role::Admin])
    .owner("venue.owner_id or venue.org_id");
/// Those who run a venue, and whose shows they are.
const SEES_ALARMS: Policy = Policy::roles(&[Role::VenueIt, Role::Organizer, Role::Admin])
    .owner("what the alarm is about: venue.owner_id, venue.org_id, venue_operators or performance.owner_id");
/// A new resource, and where it is.
type Created<T> = (StatusCode, [(HeaderName, String); 1], Json<T>);

fn created<T>(path: String, body: T) -> Created<T> {
    (StatusCode::CREATED, [(LOCATION, path)], Json(body))
}

const ADMIN: Policy = Policy::roles(&[Role::Admin]);

pub(super) fn routes() -> Routes<App> {
    of_performances(of_venues(of_nodes(Routes::new())))
        .post("/fleet/gates", RUNS_VENUE, gates::create)
        .get("/fleet/gates", RUNS_VENUE.query(), gates::list)
        .get("/fleet/gates/{gateId}", RUNS_VENUE, gates::read)
        .put("/fleet/gates/{gateId}", RUNS_VENUE, gates::edit)
        .get("/fleet/alarms", SEES_ALARMS.query(), alarms::list)
        .post(
            "/fleet/alarms/{alarmId}/acknowledge",
            SEES_ALARMS,
            alarms::acknowledge,
        )
}

fn of_nodes(routes: Routes<App>) -> Routes<App> {
    routes
        // The answer holds a secret: no copy of it is kept for replay.
        .post("/fleet/nodes", RUNS_VENUE.key_ignored(), nodes::announce)
        .get("/fleet/nodes", RUNS_VENUE.query(), nodes::list)
        .get("/fleet/nodes/{nodeId}", RUNS_VENUE, nodes::read)
        .put("/fleet/nodes/{nodeId}", RUNS_VENUE, nodes::edit)
        .post("/fleet/nodes/{nodeId}/revoke", RUNS_VENUE, nodes::revoke)
        .post(
            "/fleet/nodes/{nodeId}/renewal",
            RUNS_VENUE,
            nodes::allow_renewal,
        )
        .get(
            "/fleet/nodes/{nodeId}/scanners",
            RUNS_VENUE.query(),
            scanners::list,
        )
        .patch(
            "/fleet/nodes/{nodeId}/scanners/{scannerId}",
            RUNS_VENUE,
            scanners::edit,
        )
        .delete(
            "/fleet/nodes/{nodeId}/scanners/{scannerId}",
            RUNS_VENUE,
            scanners::unpair,
        )
        .get(
            "/fleet/nodes/{nodeId}/journal",
            RUNS_VENUE.query(),
            journals::journal,
        )
        .post(
            "/fleet/nodes/{nodeId}/journal/accept",
            ADMIN,
            nodes::accept_journal,
        )
        .post(
            "/fleet/nodes/{nodeId}/journal/import",
            ADMIN,
            nodes::import_journal,
        )
}

fn of_venues(routes: Routes<App>) -> Routes<App> {
    routes
        .get("/fleet/venues/{venueId}", RUNS_VENUE, venues::get)
        .put(
            "/fleet/venues/{venueId}/policy",
            RUNS_VENUE,
            venues::set_policy,
        )
        .get(
            "/fleet/venues/{venueId}/operators",
            OWNS_VENUE.query(),
            venues::operators,
        )
        .put(
            "/fleet/venues/{venueId}/operators/{userId}",
            OWNS_VENUE,
            venues::appoint,
        )
        .delete(
            "/fleet/venues/{venueId}/operators/{userId}",
            OWNS_VENUE,
            venues::dismiss,
        )
        .get(
            "/fleet/venues/{venueId}/staff",
            RUNS_VENUE.query(),
            staff::list,
        )
        .post("/fleet/venues/{venueId}/staff", RUNS_VENUE, staff::add)
        .get(
            "/fleet/venues/{venueId}/staff/{personId}",
            RUNS_VENUE,
            staff::read,
        )
        .put(
            "/fleet/venues/{venueId}/staff/{personId}",
            RUNS_VENUE,
            staff::edit,
        )
        .delete(
            "/fleet/venues/{venueId}/staff/{personId}",
            RUNS_VENUE,
            staff::end,
        )
        .get(
            "/fleet/venues/{venueId}/searches",
            RUNS_VENUE.query(),
            searches::list,
        )
        .get(
            "/fleet/venues/{venueId}/reconciliation",
            RUNS_VENUE.query(),
            reports::reconciliation,
        )
}

fn of_performances(routes: Routes<App>) -> Routes<App> {
    routes
        .get(
            "/fleet/venues/{venueId}/performances",
            RUNS_VENUE.query(),
            performances::list,
        )
        .post(
            "/fleet/venues/{venueId}/performances/{performanceId}/confirm",
            RUNS_VENUE,
            performances::confirm,
        )
        .post(
            "/fleet/venues/{venueId}/performances/{performanceId}/decline",
            RUNS_VENUE,
            performances::decline,
        )
        .post(
            "/fleet/venues/{venueId}/performances/decline",
            RUNS_VENUE,
            performances::decline_all,
        )
}

impl From<FleetError> for ApiError {
    fn from(error: FleetError) -> Self {
        let text = error.to_string();
        match error {
            FleetError::VenueNotFound => Self::not_found("venue_not_found", text),
            FleetError::GateNotFound => Self::not_found("gate_not_found", text),
            FleetError::PerformanceNotFound => Self::not_found("performance_not_found", text),
            FleetError::NodeNotFound => Self::not_found("node_not_found", text),
            FleetError::PersonNotFound => Self::not_found("person_not_found", text),
            FleetError::PersonEnded => Self::gone("person_ended", text),
            FleetError::AccountTaken => Self::conflict("account_taken", text),
            FleetError::TooManyStaff => Self::conflict("too_many_staff", text),
            FleetError::ScannerNotFound => Self::not_found("scanner_not_found", text),
            FleetError::NodeNotInService => Self::conflict("node_not_in_service", text),
            FleetError::TooManyOrders => Self::conflict("too_many_orders", text),
            FleetError::OperatorNotFound => Self::not_found("operator_not_found", text),
            FleetError::NotWaiting => Self::conflict("performance_not_waiting", text),
            FleetError::AlarmNotFound => Self::not_found("alarm_not_found", text),
            FleetError::CodeNotFound => Self::not_found("enrolment_code_unknown", text),
            FleetError::NotYourVenue => Self::forbidden(text),
            FleetError::Invalid(field, issue) => Self::invalid(field, issue),
            FleetError::NameTaken(_) => Self::conflict("name_taken", text),
            FleetError::NotJoined(..) => Self::conflict("journal_not_joined", text),
            FleetError::Stale | FleetError::OccurredAgain(_) => {
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", text)
            }
            FleetError::Claim(ClaimRefused::Expired) => Self::gone("enrolment_code_expired", text),
            FleetError::Claim(ClaimRefused::Used) => Self::conflict("enrolment_code_used", text),
            FleetError::Claim(ClaimRefused::Revoked) => Self::gone("node_revoked", text),
            FleetError::Renewal(error)
            | FleetError::Permission(PermissionRefused::TooLate(error)) => renewal_refused(error),
            FleetError::Permission(PermissionRefused::NotExpired) => {
                Self::conflict("certificate_not_expired", text)
            }
            FleetError::Permission(PermissionRefused::NotEnrolled) => {
                Self::conflict("node_not_enrolled", text)
            }
            FleetError::NotConfigured => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "enrolment_not_configured",
                text,
            ),
            FleetError::Authority(AuthorityError::Ended(_)) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "device_authority_ended",
                text,
            ),
            FleetError::Authority(error) => Self::internal(error),
            FleetError::Db(error) => error.into(),
        }
    }
}

fn renewal_refused(refused: RenewalRefused) -> ApiError {
    let text = refused.to_string();
    match refused {
        RenewalRefused::UnknownKey => ApiError::not_found("node_key_unknown", text),
        RenewalRefused::Revoked => ApiError::gone("node_revoked", text),
        RenewalRefused::NotAllowed => {
            ApiError::new(StatusCode::FORBIDDEN, "renewal_not_allowed", text)
        }
        RenewalRefused::TooLate => ApiError::gone("certificate_too_old", text),
    }
}
