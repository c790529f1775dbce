//! What the screen shows. The window is a function of [`View`]: it adds words, colours and motion, and
//! counts seconds on and down from the durations, which are of the moment when the view was sent.
//!
//! Times of day are milliseconds since the Unix epoch, durations are milliseconds.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The whole screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct View {
    pub screen: Screen,
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
    pub settings: Settings,
}

/// What fills the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Screen {
    /// Until the stored pairing was read and the node has answered once.
    Starting,
    /// Not paired: scan or type the code that the node shows.
    Pair {
        /// What was typed or scanned so far.
        typed: String,
        /// The node is being asked.
        asking: bool,
        problem: Option<PairProblem>,
    },
    /// Which gate, and which performance.
    Choose {
        gates: Vec<GateChoice>,
        /// Chosen before, or the only one.
        gate: Option<String>,
    },
    /// Ready for a scan.
    Ready {
        last: Option<PastScan>,
        /// The short code that is being typed; none while nothing is typed.
        typed: Option<TypedCode>,
    },
    /// The node has not answered yet; shown from [`CHECKING_AFTER_MS`] on.
    Checking {
        /// Since the trigger.
        age_ms: u32,
        /// How often the node was asked.
        tries: u32,
    },
    /// The answer to a scan. Ready for the next one without a touch.
    Verdict(Shown),
    /// The last scans, the newest first.
    History { scans: Vec<PastScan> },
    /// The cache is too old or not to be trusted: nobody decides.
    Locked {
        reason: LockReason,
        /// Since when, if that is known.
        since_ms: Option<u64>,
        /// The venue's own procedure, a step a line; empty: the app's.
        procedure: Vec<String>,
    },
    /// The node itself can't be reached: nobody is admitted, and nothing is known of the core.
    NodeUnreachable {
        since_ms: u64,
        /// Until the next attempt.
        retry_in_ms: u32,
        /// Scans that have no answer yet; they are asked again by themselves.
        waiting: u32,
    },
    /// The node does not know this scanner any more.
    PairAgain { reason: PairAgainReason },
    /// Everything that can be set.
    Settings {
        /// Inputs that were found on this machine.
        devices: Vec<Device>,
        /// Settings as one code, to be scanned by another scanner.
        export: Option<String>,
    },
    /// The PIN that lets the person out of the kiosk.
    Pin {
        /// Digits typed; the digits themselves stay in the controller.
        digits: u8,
        wrong: bool,
        /// Until the next try, after too many wrong ones.
        locked_ms: Option<u32>,
    },
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
}

/// The four classes of verdicts: each has its colour, sound and vibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Let the guest in.
    Go,
    /// The ticket was used before.
    Used,
    /// No.
    Stop,
    /// Nobody has decided.
    Hold,
}

/// A verdict as it stands on the glass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    pub scan_id: String,
    pub class: Class,
    pub why: Why,
    pub ticket: Option<TicketFacts>,
    /// None if no node has answered.
    pub decided_by: Option<Decider>,
    /// Of the data that it was decided by; none if the core decided.
    pub cache_age_ms: Option<u64>,
    /// When it came.
    pub at_ms: u64,
    /// The same scan was answered before.
    pub repeated: bool,
    /// In a drill: whether the answer was the expected one, once the person has said what they do.
    pub drill: bool,
}

/// Who decided a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Decider {
    Core,
    Node,
}

/// The verdict with its facts: twelve of the node's, and two of the app's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "verdict",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Why {
    Admit,
    /// `confirmed: false` is a screen of its own: a supervisor decides.
    AlreadyUsed {
        gate: Option<String>,
        at_ms: u64,
        /// How long ago, by the node's time.
        ago_ms: Option<u64>,
        confirmed: bool,
    },
    Revoked,
    NotValidHere {
        /// Doors that admit this ticket.
        gates: Vec<String>,
    },
    NotYet {
        admits_from_ms: u64,
    },
    Expired {
        admitted_until_ms: u64,
    },
    Unreadable,
    Forged,
    UnknownOffline,
    ResyncRequired,
    TryAgain,
    NodeFault,
    /// Admitted by data that was too old when the answer came.
    TooLate,
    /// No node has answered: given up by the person, or refused for good.
    NoAnswer {
        /// The node's code, for venue IT.
        code: Option<String>,
    },
}

/// What the ticket is for. No personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TicketFacts {
    pub title: Option<String>,
    pub starts_at_ms: Option<u64>,
    pub category: String,
    /// Seat or zone, as people read it.
    pub seat: Option<String>,
}

/// A scan of before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PastScan {
    pub shown: Shown,
    /// How long ago it came.
    pub ago_ms: u64,
}

/// A short code that is being typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TypedCode {
    /// Without the hyphen, in capitals.
    pub text: String,
    /// How many characters a whole one has.
    pub length: u8,
    /// Too many wrong ones: none can be typed for so long.
    pub locked_ms: Option<u32>,
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
    /// A device that was in use is gone.
    DeviceGone { device: String },
    /// No sound can be made.
    NoSound,
    /// Nothing can be stored on this machine: a scan is not safe from a crash.
    NotStored,
    /// The node will lock in so long (120, 60 and 30 s).
    LocksSoon { in_ms: u32 },
}

/// How the person does in a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DrillScore {
    pub right: u32,
    pub of: u32,
}

/// An input of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Path or name.
    pub id: String,
    pub kind: DeviceKind,
    pub in_use: bool,
}

/// How a code comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum DeviceKind {
    Wedge,
    Serial,
    Camera,
}

/// Settings of this scanner that the screen needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// BCP 47: `fr`, `en`, or one that a message file was added for.
    pub language: String,
    pub theme: Theme,
    pub text_size: TextSize,
    pub muted: bool,
    /// 0 to 100.
    pub volume: u8,
    pub camera: bool,
}

/// How the screens between verdicts look; verdicts look the same in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    Dark,
    Light,
    HighContrast,
}

/// Text sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum TextSize {
    Normal,
    Large,
    Largest,
}
