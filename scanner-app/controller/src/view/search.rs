//! Guests found. Names are never printed, and leave the screen by themselves.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::TicketFacts;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum SearchBy {
    Name,
    Order,
    Seat,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SearchResult {
    pub guests: Vec<Guest>,
    /// There are more: say more.
    pub more: bool,
    /// Of what the node knows; none if the core was asked.
    pub cache_age_ms: Option<u64>,
}

/// A guest's ticket.
#[derive(Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    pub ticket_id: String,
    pub name: Option<String>,
    pub order: Option<String>,
    pub ticket: TicketFacts,
    pub state: GuestState,
    pub first: Option<FirstUse>,
}

/// Without the name and the order.
impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest")
            .field("ticket_id", &self.ticket_id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Whether a ticket can still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum GuestState {
    Valid,
    Used,
    Revoked,
}

/// The first entry of a used ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FirstUse {
    pub gate: Option<String>,
    pub at_ms: u64,
    pub confirmed: bool,
}

/// Why nothing was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SearchProblem {
    /// The venue has not switched it on.
    Off,
    /// The node's data is too old to say anything of a guest.
    Locked,
    /// The person's roles do not allow it, or the colleague's word is over.
    NotAllowed,
    /// So many searches: none for so long.
    TooMany {
        wait_ms: u32,
    },
    NoAnswer,
    Refused {
        /// The node's code, for venue IT.
        code: String,
    },
}
