//! Who holds a scanner: sign-in, PIN, shift, and a supervisor's word for a moment.
//!
//! The first time a person signs in with the identity provider, on a telephone of their own (RFC 8628),
//! and chooses a PIN, which counts at this node. Then the PIN is enough, also while the line is cut.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{GateId, PersonId, ShiftId, SignInId},
    staff::StaffRole,
};

/// A person as a scanner shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    pub person_id: PersonId,
    /// What colleagues call them; at most `staff::MAX_STAFF_NAME_CHARS`.
    pub name: String,
    pub roles: Vec<StaffRole>,
}

/// `GET /v1/people`: who works at this venue, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct People {
    pub people: Vec<ListedPerson>,
    /// Whether somebody has to be signed in before this node scans.
    pub shift_needed: bool,
    /// Whether the identity provider can be reached for a first sign-in at present.
    pub online: bool,
}

/// One of [`People::people`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedPerson {
    #[serde(flatten)]
    pub person: Person,
    /// Has a PIN at this node: signed in here before.
    pub has_pin: bool,
    /// Too many wrong PINs: how long none is taken from this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_ms: Option<u64>,
}

/// `POST /v1/sign-ins`, without members: begins a sign-in with the identity provider. 503 `core_unreachable`
/// while the line is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignInRequest {}

/// What the person is to do, and how to learn that it is done.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    pub sign_in_id: SignInId,
    /// Typed on the provider's page.
    pub user_code: String,
    /// The provider's page.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code.
    pub verification_uri_complete: String,
    /// Seconds until it ends, by the node's boottime.
    pub expires_in: u64,
}

/// `GET /v1/sign-ins/{signInId}`; asked every second or two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "state",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SignInState {
    /// Nobody has signed in yet.
    Pending,
    /// This person has. They choose a PIN next: [`PinRequest`].
    Granted { person: Person },
    /// It can't be used: begin again.
    Refused { reason: SignInRefusal },
}

/// See [`SignInState::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignInRefusal {
    /// The person said no at the provider.
    Denied,
    /// Nobody signed in in time.
    Expired,
    /// The account does not work at this venue: venue IT adds it.
    NotStaff,
}

/// `POST /v1/pins`, answered by 204: sets the PIN of whom the sign-in was granted to, once, within its time.
/// 422 `pin_too_simple` for one that everybody tries first.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinRequest {
    pub sign_in_id: SignInId,
    /// [`crate::staff::PIN_DIGITS`] digits.
    pub pin: String,
}

/// A person and their PIN. Wrong: 401 `wrong_pin`, with `details.triesLeft`; too many: 429 `pin_locked` with
/// `Retry-After`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinProof {
    pub person_id: PersonId,
    pub pin: String,
}

/// `POST /v1/shifts`, answered by [`Shift`]: from now on what this scanner does is done by this person, at this
/// gate. The shift before, if there is one, ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShiftRequest {
    pub gate_id: GateId,
    pub proof: PinProof,
}

/// A person's time at a scanner. `GET /v1/shifts/current` shows it (404 `no_shift`), `DELETE` there ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shift {
    pub shift_id: ShiftId,
    pub gate_id: GateId,
    pub person: Person,
    /// Seconds since it began, by the node's clock.
    pub for_seconds: u64,
    /// Seconds until it ends by itself.
    pub expires_in: u64,
}

/// `POST /v1/authorisations`: a colleague's word at a scanner that somebody else holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorisationRequest {
    pub proof: PinProof,
}

/// Good for acts and searches of this scanner, for a short time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorisation {
    /// Opaque.
    pub authorisation: String,
    pub person: Person,
    /// Seconds until it ends, by the node's boottime.
    pub expires_in: u64,
}

crate::debug_without_secrets! {
    SignIn { sign_in_id, expires_in },
    PinRequest { sign_in_id },
    PinProof { person_id },
    Authorisation { person, expires_in },
}
