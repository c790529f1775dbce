//! Who holds the scanner, and how they come to it.

use serde::Serialize;
use ts_rs::TS;

/// What somebody may do, as the screen names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    Steward,
    Supervisor,
    BoxOffice,
}

/// Who is on shift here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OnShift {
    pub name: String,
    /// By this machine's clock.
    pub since_ms: u64,
    /// Until it ends by itself.
    pub ends_in_ms: u64,
}

/// A colleague who has typed their PIN for what is done now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Authorised {
    pub name: String,
    pub left_ms: u32,
}

/// A person to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PersonChoice {
    pub person_id: String,
    pub name: String,
    pub roles: Vec<Role>,
    /// Signed in at this node before: the PIN is enough.
    pub has_pin: bool,
    /// Too many wrong PINs: until one is taken again.
    pub locked_ms: Option<u32>,
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PersonFor {
    /// Working at this scanner from now on.
    Shift,
    /// A supervisor's word.
    Supervisor,
    /// The word of somebody who may look for guests.
    Guests,
}

/// Why a person's PIN was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum PersonPinProblem {
    Wrong {
        tries_left: Option<u32>,
    },
    /// It has ended: sign in again.
    NoPin,
    /// The venue's list has changed: they work here no more.
    NotHere,
    /// Their roles do not allow it.
    NotAllowed,
    NoAnswer,
    Refused {
        /// The node's code, for venue IT.
        code: String,
    },
}

/// What the person types or scans with their telephone.
#[derive(Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignInCode {
    pub user_code: String,
    /// The provider's page.
    pub uri: String,
    /// The same with the code in it, for a QR code.
    pub uri_with_code: String,
    pub left_ms: u32,
}

eventify_protocol::debug_without_secrets! {
    SignInCode { left_ms },
}

/// Why there is no sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SignInProblem {
    /// The person said no at the provider.
    Denied,
    /// Nobody signed in in time.
    Expired,
    /// The account does not work at this venue.
    NotStaff,
    /// The line is cut.
    CoreUnreachable,
    NoAnswer,
    Refused {
        /// The node's code, for venue IT.
        code: String,
    },
}

/// Why a new PIN was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum NewPinProblem {
    /// The second one was another one.
    Differs,
    /// Everybody tries it first.
    TooSimple,
    NoAnswer,
    Refused {
        /// The node's code, for venue IT.
        code: String,
    },
}
