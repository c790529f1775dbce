//! Who works at a venue, as nodes and scanners know them: an id that says nothing elsewhere, what
//! colleagues call them, and what they may do. No address, no account.

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of a member of staff.
pub const MAX_STAFF_NAME_CHARS: usize = 40;

/// Digits of a PIN.
pub const PIN_DIGITS: usize = 6;

/// What somebody may do at a venue's gates. Written as the roles of the core's tokens are.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cbor(index_only)]
pub enum StaffRole {
    /// Scans.
    #[n(0)]
    Steward,
    /// Also overrides, takes back, changes gates, and finds guests by name.
    #[n(1)]
    Supervisor,
    /// Sells, and finds guests by name.
    #[n(2)]
    BoxOffice,
}

impl StaffRole {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Steward, Self::Supervisor, Self::BoxOffice];

    /// As it is written in JSON and in tokens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Steward => "STEWARD",
            Self::Supervisor => "SUPERVISOR",
            Self::BoxOffice => "BOX_OFFICE",
        }
    }

    /// May do what needs a supervisor.
    #[must_use]
    pub fn supervises(self) -> bool {
        self == Self::Supervisor
    }

    /// May look for guests by name.
    #[must_use]
    pub fn finds_guests(self) -> bool {
        matches!(self, Self::Supervisor | Self::BoxOffice)
    }
}
