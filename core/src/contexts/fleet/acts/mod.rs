//! Fleet's acts: load → decide → one transaction.

pub(super) mod alarms;
pub(super) mod comparison;
pub(super) mod enrolment;
pub(super) mod feed;
pub(super) mod gates;
pub(super) mod health;
pub(super) mod holders;
pub(super) mod import;
pub(super) mod journal;
pub(super) mod messages;
pub(super) mod nodes;
pub(super) mod notify;
pub(super) mod performances;
pub(super) mod points;
pub(super) mod reconciliation;
pub(super) mod refunded;
pub(super) mod renewal;
pub(super) mod scanners;
mod sessions;
pub(super) mod sign_ins;
pub(super) mod snapshots;
pub(super) mod staff;
mod state;
pub(super) mod venues;
pub(super) mod watch;
pub(super) mod welcome;

use eventify_kernel::db::DbError;
use eventify_protocol::ids::IncarnationId;

use super::model::authority::AuthorityError;
use super::model::node::ClaimRefused;
use super::model::renewal::{PermissionRefused, RenewalRefused};
use super::model::scanners::MAX_OPEN_ORDERS;
use super::model::staff::MAX_STAFF;

pub use state::State;

/// Why an act was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("there is no such venue")]
    VenueNotFound,
    #[error("there is no such gate in this venue")]
    GateNotFound,
    #[error("there is no such performance in this venue")]
    PerformanceNotFound,
    #[error("there is no such node")]
    NodeNotFound,
    #[error("nobody of this id works at this venue")]
    PersonNotFound,
    #[error("this person does not work here any more; add them again")]
    PersonEnded,
    #[error(
        "this account is somebody's who works here already: GET lists everybody here, PUT with the personId \
         changes name and roles"
    )]
    AccountTaken,
    #[error("{MAX_STAFF} people work at this venue already; end those who do not any more")]
    TooManyStaff,
    #[error("the node has reported no such scanner")]
    ScannerNotFound,
    #[error("the node is not in service: it is announced or revoked")]
    NodeNotInService,
    #[error("the node has not carried out {MAX_OPEN_ORDERS} orders yet; wait for its next contact")]
    TooManyOrders,
    #[error("this user does not operate the venue; GET …/operators lists who does")]
    OperatorNotFound,
    #[error(
        "the performance does not wait for the venue: it was confirmed, or cancelled, or is its own"
    )]
    NotWaiting,
    #[error("there is no such alarm")]
    AlarmNotFound,
    #[error("this venue is run by somebody else")]
    NotYourVenue,
    #[error("'{0}': {1}")]
    Invalid(&'static str, String),
    #[error(
        "the venue already has a gate or node of this name, or one that people take for it: '{0}'"
    )]
    NameTaken(String),
    #[error("somebody else has changed it meanwhile; read it again")]
    Stale,
    #[error(
        "it has occurred again meanwhile, {0} times in all: look again. Without `occurrences` you take it up \
         and it stays"
    )]
    OccurredAgain(i64),
    #[error("there is no such enrolment code")]
    CodeNotFound,
    #[error(transparent)]
    Claim(#[from] ClaimRefused),
    #[error(transparent)]
    Renewal(#[from] RenewalRefused),
    #[error(transparent)]
    Permission(#[from] PermissionRefused),
    #[error("nodes can't be enrolled here: fleet.device_authority_* is not configured")]
    NotConfigured,
    #[error("certificates: {0}")]
    Authority(#[from] AuthorityError),
    #[error("the rows from {1} on do not continue what the core has of journal file {0}")]
    NotJoined(IncarnationId, u64),
    #[error(transparent)]
    Db(#[from] DbError),
}
