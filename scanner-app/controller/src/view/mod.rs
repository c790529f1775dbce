//! What the screen shows. The window is a function of [`View`]: it adds words, colours and motion, and
//! counts seconds on and down from the durations, which are of the moment when the view was sent.
//!
//! Times of day are milliseconds since the Unix epoch, durations are milliseconds.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

mod acts;
mod counts;
mod people;
mod screen;
mod search;
mod settings;
mod verdict;

pub use acts::{ActKind, ActProblem, Reason, Undoable};
pub use counts::{GateInside, GatePace, PerformanceInside, VenueNumbers, ZoneInside};
pub use people::{
    Authorised, NewPinProblem, OnShift, PersonChoice, PersonFor, PersonPinProblem, Role,
    SignInCode, SignInProblem,
};
pub use screen::Screen;
pub use search::{FirstUse, Guest, GuestState, SearchBy, SearchProblem, SearchResult};
pub use settings::{Device, DeviceKind, ImportProblem, PinFor, Settings, TextSize, Theme};
pub use verdict::{Class, Decider, PastScan, Shown, TicketFacts, Why};

/// The whole screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct View {
    pub screen: Screen,
    /// Every key belongs to a code, or to a PIN: none reaches a button.
    pub takes_codes: bool,
    /// Where this scanner works; none before it was chosen.
    pub place: Option<Place>,
    /// How far the answers can be trusted; none before a node was reached for the first time.
    pub truth: Option<Truth>,
    /// None before the node has told them.
    pub counts: Option<Counts>,
    /// What the person should know besides, the most important first. Hides nothing.
    pub notices: Vec<Notice>,
    /// In a drill: nobody is let in by what is shown.
    pub drill: Option<DrillScore>,
    /// Who holds this scanner.
    pub person: Option<OnShift>,
    /// A colleague's word, for a moment.
    pub authorised: Option<Authorised>,
    /// Scans are of guests who leave.
    pub exits: bool,
    pub settings: Settings,
    /// What the venue's clocks show, by its name in the tz database: all times are in it. None: the device's.
    pub time_zone: Option<String>,
}

/// From here on a person is shown that the scan is on its way.
pub const CHECKING_AFTER_MS: u32 = 150;

/// Where and for what this scanner works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    pub gate_id: String,
    /// The name on the door.
    pub gate: String,
    /// None: whatever is played now.
    pub performance: Option<PerformanceFacts>,
    /// The node's label for this scanner.
    pub scanner: String,
}

/// A gate that this scanner may work at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GateChoice {
    pub gate_id: String,
    pub name: String,
    pub performances: Vec<PerformanceFacts>,
}

/// A performance for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceFacts {
    pub performance_id: String,
    pub title: String,
    pub doors_at_ms: Option<u64>,
    pub starts_at_ms: Option<u64>,
    pub cancelled: bool,
}

/// How far the answers can be trusted at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    pub mode: NodeMode,
    /// Of the node's data; none while the core decides or nothing is known.
    pub cache_age_ms: Option<u64>,
    /// Until the node locks; none unless it decides alone.
    pub locks_in_ms: Option<u32>,
    /// Decisions that the core does not have yet.
    pub to_send: u64,
    /// The node has decided alone, or not at all, since it was last online. Without that it resyncs for a
    /// moment, because of a supervisor's act of its own, and no line comes back.
    pub was_cut_off: bool,
    /// The last answer was slow.
    pub slow: bool,
}

/// `Mode` of the LAN API, and the node out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum NodeMode {
    Online,
    Degraded,
    Locked,
    Resyncing,
    Unreachable,
}

/// Why the node is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum LockReason {
    CacheTooOld,
    ClockNotTrusted,
    NoCache,
    Unacknowledged,
    DegradedOff,
    Revoked,
    Other,
}

/// Why pairing is needed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PairAgainReason {
    /// The scanner was removed at the node.
    Unpaired,
    /// It was not seen for long.
    Expired,
    /// Another machine answers at the node's address, or the node was enrolled again.
    OtherNode,
}

/// Why pairing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PairProblem {
    /// Not the whole code, or none at all.
    NotACode,
    /// Used before, or too old: the node shows another one.
    CodeEnded,
    NoAnswer,
    OtherNode,
    TooManyScanners,
    /// The node refuses for another reason, see its log.
    Refused,
    /// The stored pairing can't be read; it was put aside.
    StoredDamaged,
}

/// A short code that is being typed.
#[derive(Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TypedCode {
    /// Without the hyphen, in capitals.
    pub text: String,
    /// How many characters a whole one has.
    pub length: u8,
    /// Too many wrong ones: none can be typed for so long.
    pub locked_ms: Option<u32>,
}

eventify_protocol::debug_without_secrets! {
    TypedCode { length, locked_ms },
}

/// At this gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Guests admitted by this node at this gate.
    pub admitted: u64,
    pub refused: u64,
    /// Of this scanner, in the last minute.
    pub per_minute: u32,
    /// Median time from trigger to verdict of the last scans.
    pub answer_ms: Option<u32>,
    /// Median time from one trigger to the next of the last scans.
    pub between_ms: Option<u32>,
    /// Since the start: time that the person waited for the node, beyond
    /// [`CHECKING_AFTER_MS`] of each scan.
    pub waited_ms: u64,
    /// The counts are of then, if no newer ones come.
    pub as_of_ms: Option<u64>,
}

/// Something that the person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Notice {
    /// A code was cut off by a pause: scan again.
    HalfCode,
    /// The imager's keyboard sends capitals for small letters.
    CapsLock,
    /// One scan is being checked and as many wait as can: this code was not taken, scan it again.
    QueueFull,
    /// A code for pairing or settings, or of a drill, where tickets are scanned; or a ticket in a drill.
    OtherCode,
    /// A ticket before a gate was chosen.
    GateFirst,
    /// A ticket before somebody was signed in.
    SignInFirst,
    /// What needs the core is not to be had without it: exits.
    NeedsCore,
    /// The shift could not be ended: the node did not answer.
    ShiftNotEnded,
    /// A stored file was damaged and put aside; the app goes on without its content.
    StoredLost { what: Stored },
    /// A device that was in use is gone.
    DeviceGone { device: String },
    /// No sound can be made.
    NoSound,
    /// Nothing can be stored on this machine: a scan is not safe from a crash.
    NotStored,
    /// The node will lock in so long (120, 60 and 30 s).
    LocksSoon { in_ms: u32 },
}

/// What is stored on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Stored {
    Pairing,
    Place,
    Settings,
    /// Nobody leaves the kiosk until the machine's administrator has deleted the file.
    Pin,
    Scans,
}

/// How the person does in a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DrillScore {
    pub right: u32,
    pub of: u32,
    /// A verdict is on the screen, and the person has not yet said what they do.
    pub asks: bool,
    pub last: Option<DrillResult>,
}

/// The last verdict of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DrillResult {
    pub expected: Act,
    pub given: Act,
}

/// What a person at a gate does after a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    LetIn,
    Stop,
    /// Call a supervisor.
    Call,
}
