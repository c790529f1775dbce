//! What ticketing holds of a venue's tickets, for fleet to compare the feed with.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{TicketId, VenueId};
use eventify_protocol::sync;
use eventify_sync::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TicketFacts;

/// `ticketing.tickets.stated`: what ticketing holds of the venue's tickets in a range of ids, for
/// fleet to compare the venue's feed with (ADMISSION 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketsStated {
    /// Whose tickets.
    pub venue_id: VenueId,
    /// The range.
    pub range: TicketRange,
    /// How many there are.
    pub count: u64,
    /// Sum modulo 2²⁵⁶ of their hashes, hexadecimal.
    #[schemars(with = "String")]
    pub digest: Hash32,
    /// Each of them, if fleet has asked: what it holds has another sum.
    pub tickets: Option<Vec<StatedTicket>>,
    /// All that the statement knows was committed before, by ticketing's database.
    pub as_of: DateTime<Utc>,
}

/// `ticketing.tickets.restated`: tickets of which the venue's feed said something else. Each has
/// got a version above the one that the feed holds, so that it takes its place everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketsRestated {
    /// Whose feed.
    pub venue_id: VenueId,
    /// As they are.
    pub tickets: Vec<TicketFacts>,
    /// There are no such tickets; the versions that the feed holds.
    pub unknown: Vec<UnknownTicket>,
}

/// Tickets of a venue whose performances admit after a moment, within bounds of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketRange {
    /// Behind this one; none: from the first on.
    pub after: Option<TicketId>,
    /// This one included; none: to the last.
    pub through: Option<TicketId>,
    /// Those whose performance admits later than this, Unix seconds.
    pub expiring_after: i64,
}

/// One ticket of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatedTicket {
    /// Which.
    pub ticket_id: TicketId,
    /// Its version.
    pub version: i32,
    /// SHA-256 of its feed entry, hexadecimal.
    #[schemars(with = "String")]
    pub hash: Hash32,
}

/// A ticket that there is only in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnknownTicket {
    /// Its id.
    pub ticket_id: TicketId,
    /// The version that the feed holds.
    pub version: u64,
}

/// What a range of tickets adds up to, from the bytes of their feed entries. Both sides count so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketSum {
    /// How many.
    pub count: u64,
    /// Sum modulo 2²⁵⁶ of the hashes.
    pub digest: Hash32,
}

impl TicketSum {
    /// Of no tickets.
    pub const NONE: Self = Self {
        count: 0,
        digest: Hash32::ZERO,
    };

    /// With one more, whose feed entry has this hash.
    #[must_use]
    pub fn with(self, hash: Hash32) -> Self {
        Self {
            count: self.count + 1,
            digest: digest::add(sync::Digest(self.digest), hash).0,
        }
    }
}
