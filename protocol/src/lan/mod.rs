//! The HTTPS API that an edge node serves on the venue's LAN, for scanners.
//!
//! | method and path | request | answer |
//! |---|---|---|
//! | `POST /v1/pairings` | signed by the new key, [`PairingRequest`] | [`PairingAnswer`] |
//! | `GET /v1/nonce` | | [`Nonce`] |
//! | `POST /v1/tokens` | signed, [`TokenRequest`] | [`AccessToken`] |
//! | `POST /v1/scans` | signed, [`ScanRequest`] | [`ScanAnswer`] |
//! | `GET /v1/status` | signed | [`NodeStatus`] |
//! | `GET /v1/stream` | signed | server-sent events, each a [`StreamEvent`] |
//! | `GET /v1/people` | signed | [`People`] |
//! | `POST /v1/sign-ins` | signed, [`SignInRequest`] | [`SignIn`] |
//! | `GET /v1/sign-ins/{signInId}` | signed | [`SignInState`] |
//! | `POST /v1/pins` | signed, [`PinRequest`] | |
//! | `POST /v1/shifts` | signed, [`ShiftRequest`] | [`Shift`] |
//! | `GET`, `DELETE /v1/shifts/current` | signed | [`Shift`] |
//! | `POST /v1/authorisations` | signed, [`AuthorisationRequest`] | [`Authorisation`] |
//! | `POST /v1/acts` | signed, [`ActRequest`] | [`ActAnswer`] |
//! | `POST /v1/searches` | signed, [`SearchRequest`] | [`SearchAnswer`] |
//! | `GET /v1/counts` | signed | [`VenueCounts`] |
//!
//! A stream goes on as long as its scanner has a valid access token, whichever it was opened with:
//! renewed in time, it never ends for that. The oldest one of a scanner ends when it opens a few more.
//! "Signed" is [`signature`]. Errors have the body of [`crate::error`].
//!
//! A scanner has so many requests a second; more are answered with 429 `too_many_requests` and
//! `Retry-After`. One that the node no longer has gets 401 `scanner_unknown`, one that was not seen for
//! 30 days 401 `scanner_expired`: both pair again.

mod acts;
mod counts;
mod pairing;
mod search;
pub mod signature;
mod staff;

pub use acts::{
    Act, ActAnswer, ActRequest, MAX_NOTE_CHARS, OVERRIDE_MS, Reason, ReasonCode, UNDO_MS,
};
pub use counts::{
    FLOW_WINDOW_MS, GateFlow, InsideByGate, PerformanceCounts, UNHURRIED_MS, VenueCounts,
    ZoneCounts,
};
pub use pairing::{MalformedPairingCode, PairingCode};
pub use search::{
    MAX_MATCHES, Match, MatchState, SEARCH_CHARS, SearchAnswer, SearchBy, SearchRequest,
};
pub use staff::{
    Authorisation, AuthorisationRequest, ListedPerson, People, Person, PinProof, PinRequest, Shift,
    ShiftRequest, SignIn, SignInRefusal, SignInRequest, SignInState,
};

use std::time::Duration;

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{GateId, NodeId, PerformanceId, ScanId, ScannerId, VenueId},
    sync::{Digest, Epoch, JournalHead, PerformanceState, Position},
    time::CoreTime,
    token::CategoryCode,
    verdict::{DecidedBy, Mode, Verdict},
};

/// A node closes a connection on which no request begins for so long. A client that would still use one at that
/// moment gets no answer: it stops using it sooner.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// Longest token of a scan, in characters. A longer one is `Unreadable` without being parsed.
pub const MAX_SCANNED_CHARS: usize = 512;

/// Gates that an answer names as admitting a ticket.
pub const MAX_ADMITTING_GATES: usize = 8;

/// Performances that a status names.
pub const MAX_STATUS_PERFORMANCES: usize = 32;

/// `POST /v1/scans`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScanRequest {
    /// Made at the trigger and used until a final verdict was shown (`ADMISSION` 3.1).
    pub scan_id: ScanId,
    pub gate_id: GateId,
    /// The text that was scanned, unchanged; or a ticket's short code, as it was typed
    /// ([`crate::short_code`]). Too many unknown codes of a scanner are answered with 429
    /// `too_many_wrong_codes`: for as long as `Retry-After` says it types no more.
    pub token: String,
}

/// The answer to a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanAnswer {
    pub scan_id: ScanId,
    /// The verdict and its facts, in the same JSON object.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What the ticket is for, so that a steward sees what green means, as the core or the replica has
    /// it. Absent for a text that no key of ours is known to have signed, and for a ticket that neither
    /// knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<ShownTicket>,
    /// Name of the gate of the first entry, beside `AlreadyUsed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_gate_name: Option<String>,
    /// How long ago the first entry was, beside `AlreadyUsed`, by the node's estimate of the core's
    /// clock: a scanner's own clock proves nothing. Absent where the node has no estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ago_ms: Option<u64>,
    /// How long ago this scanner itself has let in this guest, beside `AlreadyUsed`: its last one, some seconds ago.
    /// Its reader has seen the code again; another person with the same ticket stays out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_again_ms: Option<u64>,
    /// Where the ticket is admitted, beside `NotValidHere`: at most [`MAX_ADMITTING_GATES`], by name.
    /// Empty where no gate of the venue admits it, or none is known to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admitting_gates: Vec<NamedGate>,
    /// At the decision.
    pub mode: Mode,
    /// At the decision; none if the core decided.
    pub cache_age_ms: Option<u64>,
    /// The limit in force: the scanner adds its own time since the trigger to the age, and shows
    /// green only while the sum is within the limit (`ADMISSION` 3.9).
    pub max_cache_age_ms: u64,
    pub decided_by: DecidedBy,
    /// The same scan was answered with this verdict before.
    pub repeated: bool,
}

/// A ticket as staff at a gate see it. Grows by optional members, and never by personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownTicket {
    pub performance_id: PerformanceId,
    /// The event's title, at most `sync::MAX_TITLE_CHARS`; none if the node does not know the
    /// performance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When the performance begins, Unix seconds; none if the node does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<i64>,
    pub category: CategoryCode,
    /// What people call the category; none if the node does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_name: Option<String>,
    /// The seat as the plan names it, or the zone; none if the node does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// A gate by its id and its name on the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedGate {
    pub gate_id: GateId,
    /// The id as text while the node does not know the name.
    pub name: String,
}

/// A performance that the venue admits to around now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatePerformance {
    pub performance_id: PerformanceId,
    /// The event's title, at most `sync::MAX_TITLE_CHARS`.
    pub title: String,
    /// Unix seconds.
    pub doors_at: i64,
    /// Unix seconds.
    pub starts_at: i64,
    /// Unix seconds, if an end is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<i64>,
    pub state: PerformanceState,
    /// The gates of this node that admit to it.
    pub gates: Vec<GateId>,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    pub node_id: NodeId,
    pub venue_id: VenueId,
    /// Name and version.
    pub software: String,
    pub mode: Mode,
    /// Why it is not `Online`, as a stable code.
    pub reason: Option<String>,
    pub cache_age_ms: Option<u64>,
    /// The limit in force.
    pub max_cache_age_ms: u64,
    pub replica: ReplicaStatus,
    pub journal: JournalStatus,
    /// The node's estimate.
    pub core_time: Option<CoreTime>,
    /// The gates that this node may decide for.
    pub gates: Vec<GateStatus>,
    /// What these gates admit to from a day before it begins to admit until that ends, soonest first; at
    /// most [`MAX_STATUS_PERFORMANCES`]. None while the node can't tell the time.
    #[serde(default)]
    pub performances: Vec<GatePerformance>,
    /// What the venue wants staff to do while nobody decides, a step a line; empty where it has said nothing. A
    /// scanner keeps the last one that it knew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub procedure: Vec<String>,
    /// What the venue's clocks show, by its name in the tz database: times on a screen are in it, not in the
    /// device's own. None where the core has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// The replica of the venue's feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// The core's database that the replica follows.
    pub epoch: Option<Epoch>,
    pub position: Position,
    /// The feed's head, as last received.
    pub head: Position,
    pub digest: Option<Digest>,
    /// Number of tickets.
    pub tickets: u64,
}

/// The journal of the node's decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalStatus {
    pub head: JournalHead,
    /// Number of rows that the core has not acknowledged.
    pub unacknowledged: u64,
    /// Why no row can be written at present: new scans are answered with `NodeFault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<JournalFault>,
}

/// See [`JournalStatus::fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum JournalFault {
    /// Another program holds the file. It goes on by itself when that is closed.
    #[n(0)]
    Held,
    /// No space is left.
    #[n(1)]
    NoSpace,
}

/// A gate and its counts since the node started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateStatus {
    pub gate_id: GateId,
    /// The name on the door.
    pub name: String,
    /// Guests admitted by this node.
    pub admitted: u64,
    /// Scans refused by this node.
    pub refused: u64,
    /// Of those, texts that are no tickets: a damaged code, or something else held before the scanner.
    #[serde(default)]
    pub unreadable: u64,
    /// Guests who left by this gate with a scan.
    #[serde(default)]
    pub left: u64,
}

/// One event of `GET /v1/stream`; the event's name is its `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum StreamEvent {
    /// Sent on change and at least every second.
    Mode {
        mode: Mode,
        /// Why it is not `Online`, as a stable code.
        reason: Option<String>,
        cache_age_ms: Option<u64>,
        /// The limit in force.
        max_cache_age_ms: u64,
        /// Time until `Locked`; none when `Online` or `Locked`.
        remaining_ms: Option<u64>,
        /// Progress while `Resyncing`: number of journal rows that are not acknowledged.
        unacknowledged: u64,
    },
    /// Sent when counts have changed, at most every second.
    Counts {
        /// All gates of this node.
        gates: Vec<GateStatus>,
    },
}

/// `POST /v1/pairings`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PairingRequest {
    /// The secret of the [`PairingCode`] that the node shows.
    pub code: String,
    /// The scanner's Ed25519 public key, base64url without padding.
    pub public_key: String,
    /// The staff's name for the scanner.
    pub label: String,
}

/// Answer to a pairing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairingAnswer {
    /// The scanner's id from now on.
    pub scanner_id: ScannerId,
    pub node_id: NodeId,
    pub venue_id: VenueId,
    /// The gates that the scanner may scan for.
    pub gates: Vec<NamedGate>,
    /// What these gates admit to around now, as in [`NodeStatus::performances`].
    #[serde(default)]
    pub performances: Vec<GatePerformance>,
    /// The first access token.
    pub access: AccessToken,
}

/// `GET /v1/nonce`: a request for an access token contains one, so that a recorded request is
/// refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Nonce {
    /// Opaque; valid for one request.
    pub nonce: String,
    /// Seconds until it ends, by the node's boottime.
    pub expires_in: u64,
}

/// `POST /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// From the node's [`Nonce`].
    pub nonce: String,
}

/// A short-lived right to use the API, bound to the scanner's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessToken {
    /// Sent as `Authorization: Bearer`.
    pub token: String,
    /// Seconds until it ends, by the node's boottime.
    pub expires_in: u64,
}

crate::debug_without_secrets! {
    ScanRequest { scan_id, gate_id },
    PairingRequest { label },
    AccessToken { expires_in },
}
