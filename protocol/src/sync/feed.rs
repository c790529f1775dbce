//! The feed of a venue: `(venue, position)` without gaps, each entry the new state of one subject.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::PerformanceEntry;
use crate::{
    hash::Hash32,
    ids::{GateId, NodeId, PerformanceId, PersonId, ScanId, TicketId},
    short_code::CodeTag,
    staff::StaffRole,
    sync::HolderEntry,
    time::CoreTime,
    token::{CategoryCode, TokenHash},
};

/// The digest algorithm of this release: sum modulo 2²⁵⁶ of SHA-256 over key and row, with rows of
/// the fourth form. The first form's tickets had times of their own, the second's neither place nor short
/// code, and its performances no names of categories; the third had no people, no holders of tickets, and less
/// of a policy and a performance. Whoever reads the forms before only would write
/// such a row back without what is new, and add up something else; so a changed form of an entry is a new
/// number (`ADMISSION` 5.5). A row of the second or third form is one of the fourth that has nothing new.
pub const DIGEST_ALGORITHM: u8 = 4;

/// A place in a venue's feed. The first entry has position 1; 0 is the empty feed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

/// A number as decimal text.
mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Which database wrote the feed: PostgreSQL's system identifier and timeline. Positions of two
/// epochs are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Epoch {
    /// `pg_control_system().system_identifier`. Text in JSON: it is beyond what JavaScript and `jq`
    /// can count exactly.
    #[n(0)]
    #[serde(with = "as_text")]
    pub system: u64,
    /// `pg_control_checkpoint().timeline_id`.
    #[n(1)]
    pub timeline: u32,
}

/// Order-independent hash over all rows of a replica at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Digest(#[n(0)] pub Hash32);

/// The key under which rows are hashed for the digest; one a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct DigestKey(#[n(0)] pub Hash32);

/// One entry: what a subject is from now on. `value: None` deletes it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct FeedEntry {
    /// What it is about.
    #[n(0)]
    pub subject: Subject,
    /// The aggregate's version; an entry with a version not above the one held changes nothing.
    #[n(1)]
    pub version: u64,
    /// The new state.
    #[n(2)]
    pub value: Option<Value>,
}

/// What an entry is about. The order of variants is the order of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(flat)]
pub enum Subject {
    /// The venue's policy.
    #[n(0)]
    Policy,
    /// The signed key set.
    #[n(1)]
    KeySet,
    /// A node of the venue.
    #[n(2)]
    Node(#[n(0)] NodeId),
    /// A gate.
    #[n(3)]
    Gate(#[n(0)] GateId),
    /// A performance in the venue.
    #[n(4)]
    Performance(#[n(0)] PerformanceId),
    /// A ticket.
    #[n(5)]
    Ticket(#[n(0)] TicketId),
    /// Somebody who works at the venue.
    #[n(6)]
    Person(#[n(0)] PersonId),
    /// Whose a ticket is, where the venue's staff may look for guests.
    #[n(7)]
    Holder(#[n(0)] TicketId),
}

/// The state of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Value {
    /// See [`PolicyEntry`].
    #[n(0)]
    Policy(#[n(0)] PolicyEntry),
    /// A signed key set, as bytes (`keys::SignedKeySet`).
    #[n(1)]
    KeySet(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// See [`NodeEntry`].
    #[n(2)]
    Node(#[n(0)] NodeEntry),
    /// See [`GateEntry`].
    #[n(3)]
    Gate(#[n(0)] GateEntry),
    /// See [`PerformanceEntry`].
    #[n(4)]
    Performance(#[n(0)] PerformanceEntry),
    /// See [`TicketEntry`].
    #[n(5)]
    Ticket(#[n(0)] TicketEntry),
    /// See [`PersonEntry`].
    #[n(6)]
    Person(#[n(0)] PersonEntry),
    /// See [`HolderEntry`].
    #[n(7)]
    Holder(#[n(0)] HolderEntry),
}

/// How a venue wants its nodes to behave: while the core is out of reach, and towards staff.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct PolicyEntry {
    /// Oldest cache that may decide, in milliseconds; at most `MAX_CACHE_AGE`. 0 switches degraded
    /// check-in off, which is the default (`core/DECISIONS.md` 35).
    #[n(0)]
    pub max_cache_age_ms: u32,
    /// Whether somebody has to be signed in at a scanner before it scans; none is no, and a row of the
    /// third form.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_needed: Option<bool>,
    /// Whether guests can be looked for by name, order and seat; off unless the venue has switched it on.
    #[n(2)]
    pub search: Option<bool>,
    /// What staff do while nobody decides, a step a line: at most [`super::MAX_PROCEDURE_LINES`] of
    /// [`super::MAX_PROCEDURE_LINE_CHARS`].
    #[n(3)]
    pub procedure: Option<Vec<String>>,
    /// How many acts that need a reason a person may do at a node within an hour; absent:
    /// [`super::DEFAULT_ACTS_PER_HOUR`].
    #[n(4)]
    pub acts_per_hour: Option<u32>,
}

/// Somebody who works at the venue, as gates need to know: no address, and no account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PersonEntry {
    /// What colleagues call them; at most `staff::MAX_STAFF_NAME_CHARS`.
    #[n(0)]
    pub name: String,
    /// What they may do, each once, in order.
    #[n(1)]
    pub roles: Vec<StaffRole>,
}

/// A node that the venue knows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NodeEntry {
    /// The venue's name for it.
    #[n(0)]
    pub label: String,
    /// The gates that it may decide for.
    #[n(1)]
    pub gates: Vec<GateId>,
    /// Revoked nodes decide nothing.
    #[n(2)]
    pub revoked: bool,
}

/// A gate and who may pass it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct GateEntry {
    /// The name on the door.
    #[n(0)]
    pub name: String,
    /// The performances admitted here; empty: all of the venue.
    #[n(1)]
    pub performances: Vec<PerformanceId>,
    /// The categories or zones admitted here; empty: all.
    #[n(2)]
    pub categories: Vec<CategoryCode>,
}

/// A signed ticket, as far as gates need it. No names, no personal data, and no times: those are the
/// performance's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct TicketEntry {
    /// Hash of the one token that admits; an older revision's token has another.
    #[n(0)]
    pub token: TokenHash,
    /// The performance that it is for.
    #[n(1)]
    pub performance: PerformanceId,
    /// Category or zone code.
    #[n(2)]
    pub category: CategoryCode,
    /// Whether it can still be used.
    #[n(3)]
    pub state: TicketState,
    /// Its seat as the plan names it, or its zone; at most [`super::MAX_PLACE_BYTES`]. None in a row of the
    /// second form.
    #[n(4)]
    pub place: Option<String>,
    /// By which its short code is found; none in a row of the second form.
    #[n(5)]
    pub code: Option<CodeTag>,
}

/// Whether a ticket can still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum TicketState {
    /// Not used yet, or its holder has left again.
    #[n(0)]
    Valid,
    /// Refunded, cancelled or replaced.
    #[n(1)]
    Revoked,
    /// Used.
    #[n(2)]
    Used(#[n(0)] UsedBy),
    /// Not good at present, and perhaps again later: it is being refunded. Whoever presents it gets
    /// `Revoked`.
    #[n(3)]
    Suspended,
}

/// The check-in that used a ticket. A node that finds its own scan id here answers `Admit`
/// (`ADMISSION` 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct UsedBy {
    /// The scan of the check-in.
    #[n(0)]
    pub scan: ScanId,
    /// Its gate.
    #[n(1)]
    pub gate: GateId,
    /// Its time.
    #[n(2)]
    pub at: CoreTime,
    /// Whether a journal has confirmed what was shown.
    #[n(3)]
    pub confirmed: bool,
}

impl Position {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl FeedEntry {
    /// The canonical bytes of the row, the same on both sides: what the digest is made of.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to a Vec can't fail")
    }
}
