//! Finding a guest by name, order or seat, where the venue has switched it on. Supervisors and the box office
//! only, and each search is a row of the journal.

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ShownTicket;
use crate::{
    ids::{GateId, PerformanceId, PersonId, SearchId, TicketId},
    verdict::FirstEntry,
};

/// Guests in one answer.
pub const MAX_MATCHES: usize = 20;

/// Shortest and longest text to look for.
pub const SEARCH_CHARS: std::ops::RangeInclusive<usize> = 2..=60;

/// `POST /v1/searches`. 403 `search_off` where the venue has not switched it on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchRequest {
    pub search_id: SearchId,
    /// Where.
    pub gate_id: GateId,
    pub by: SearchBy,
    /// [`SEARCH_CHARS`].
    pub text: String,
    /// Among the guests of one performance; else of all that this node admits to around now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance_id: Option<PerformanceId>,
    /// A colleague's word ([`super::Authorisation`]); without it whoever is on shift here searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<String>,
}

/// What a search looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum SearchBy {
    /// Beginnings of the names' words, in any order, without regard to case and accents.
    #[n(0)]
    Name,
    /// The order's number, or its end.
    #[n(1)]
    Order,
    /// The seat as the plan names it, or the zone.
    #[n(2)]
    Seat,
}

/// The guests found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchAnswer {
    pub search_id: SearchId,
    /// Who searched.
    pub person_id: PersonId,
    /// At most [`MAX_MATCHES`], by name, then place.
    pub matches: Vec<Match>,
    /// There are more: say more.
    pub more: bool,
    /// How old what the node knows is; none while the core answers.
    pub cache_age_ms: Option<u64>,
}

/// A guest's ticket.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    pub ticket_id: TicketId,
    #[serde(flatten)]
    pub ticket: ShownTicket,
    /// As the order has it; none where no name was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    pub state: MatchState,
    /// Of the first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_gate_name: Option<String>,
}

/// Whether a ticket found can still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MatchState {
    /// Not used yet.
    Valid,
    /// Inside.
    Used,
    /// Refunded, cancelled, replaced, or on the way there.
    Revoked,
}

impl std::fmt::Debug for SearchRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchRequest")
            .field("search_id", &self.search_id)
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Match {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Match")
            .field("ticket_id", &self.ticket_id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
