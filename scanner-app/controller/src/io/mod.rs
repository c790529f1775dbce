//! What goes into the [`Controller`](crate::controller::Controller) and what comes out. The shell carries
//! outputs out in their order and reports back with the inputs that they name. It decides nothing.

mod people;

use std::time::Duration;

use eventify_disk::pin::{Pin, PinHash};
use eventify_lan_client::ClientError;
use eventify_protocol::{
    ids::{ActId, GateId, PerformanceId, ScanId},
    lan::{NodeStatus, PairingCode, ScanAnswer, ScanRequest, StreamEvent},
    time::{BootTime, WallTime},
};
use serde::{Deserialize, Serialize};

pub use people::{KeptAct, PeopleAnswer, PeopleCall};

use crate::{
    command::{Command, KeyStroke},
    tones::Rhythm,
    view::{Act, Device, Settings, Stored},
};

/// The moment of an input.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Counts suspend and can't be set: what everything is measured by.
    pub boot: BootTime,
    /// For people, and for what outlives a restart. Never proof.
    pub wall: WallTime,
    /// Fresh from the operating system, for ids and salts.
    pub random: [u8; 16],
}

impl Now {
    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        u64::try_from(self.wall.0 / 1_000).unwrap_or(0)
    }
}

/// Names a call, until its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Names a write, until it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteId(pub u64);

/// A fact.
#[derive(Debug)]
pub enum Input {
    /// What the disk holds; the first input.
    Loaded(Box<Loaded>),
    Command(Command),
    /// Keys that the window took before its page, with times on the display's clock.
    WindowKeys(Vec<KeyStroke>),
    /// Of a keyboard that was grabbed from the system (`evdev`), with times on a clock of its own.
    GrabbedKeys(Vec<KeyStroke>),
    /// Of a serial line, with the time on a clock of its own.
    SerialBytes {
        bytes: SerialBytes,
        at_ms: u32,
    },
    Answered(CallId, Answer),
    /// Of a stream that [`Call::Listen`] has opened.
    Event(CallId, StreamEvent),
    /// Whether a write is on the disk.
    Written(WriteId, bool),
    PinHashed(PinHash),
    PinChecked(bool),
    /// Inputs of this machine, all of them.
    Devices(Vec<Device>),
    /// Whether sound can be made.
    Sound(bool),
}

/// Of a serial line, cut anywhere. A ticket can be in it: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SerialBytes(pub Vec<u8>);

eventify_protocol::debug_without_secrets! {
    SerialBytes {},
}

/// What the disk holds.
#[derive(Debug, Default)]
pub struct Loaded {
    pub pairing: Option<Paired>,
    pub place: Option<StoredPlace>,
    pub settings: Option<Settings>,
    pub pin: Option<StoredPin>,
    /// Scans without a final verdict, the oldest first.
    pub scans: Vec<KeptScan>,
    /// Acts without an answer, the oldest first.
    pub acts: Vec<KeptAct>,
    /// The venue's procedure for when nobody decides, as the node last had it.
    pub procedure: Vec<String>,
    /// What the venue's clocks show, as the node last had it.
    pub time_zone: Option<String>,
    /// What could not be read. It was put aside.
    pub damaged: Vec<Stored>,
}

/// What is known of the pairing here. Its key is with the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Gates that the scanner may scan for, as of the pairing.
    pub gates: Vec<GateId>,
    /// The node's name for this scanner.
    pub label: String,
}

/// Where the scanner works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredPlace {
    pub gate_id: GateId,
    /// None: whatever is played now.
    pub performance_id: Option<PerformanceId>,
}

/// The PIN, and how often a wrong one was tried since a right one: switching off and on is no way around
/// the pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredPin {
    pub hash: PinHash,
    pub wrong: u32,
}

/// A scan whose final verdict was not shown yet (`ADMISSION` 3.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptScan {
    pub scan_id: ScanId,
    pub gate_id: GateId,
    pub token: String,
    /// Milliseconds since the Unix epoch.
    pub triggered_at_ms: u64,
}

/// Without the token: whoever has it can use the ticket.
impl std::fmt::Debug for KeptScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptScan")
            .field("scan_id", &self.scan_id)
            .finish_non_exhaustive()
    }
}

/// The result of a [`Call`].
#[derive(Debug)]
pub enum Answer {
    /// The pairing, whether it is on the disk, and for how long the first access is good.
    Paired(Result<NewPairing, ClientError>),
    /// For how long the access is good.
    Renewed(Result<Duration, ClientError>),
    Status(Result<Box<NodeStatus>, ClientError>),
    Scanned(Result<Box<ScanAnswer>, ClientError>),
    Listening(Result<(), ClientError>),
    People(PeopleAnswer),
    /// The stream has ended: by the node's word, or broken.
    Ended,
}

/// See [`Answer::Paired`].
#[derive(Debug)]
pub struct NewPairing {
    pub paired: Paired,
    pub stored: bool,
    pub access_for: Duration,
}

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Ask the node; answered with [`Input::Answered`].
    Call(CallId, Call),
    /// Store; answered with [`Input::Written`]. In the order of the outputs.
    Write(WriteId, Write),
    /// Answered with [`Input::PinHashed`].
    HashPin {
        pin: Pin,
        salt: [u8; 16],
    },
    /// Answered with [`Input::PinChecked`].
    CheckPin {
        pin: Pin,
        hash: PinHash,
    },
    Play {
        rhythm: Rhythm,
        volume: u8,
    },
    Vibrate(&'static [u32]),
    LeaveFullScreen,
    ViewChanged,
}

/// A call of the node.
#[derive(Debug)]
pub enum Call {
    /// With a key made for it, and store the pairing.
    Pair(PairingCode),
    Renew,
    Status,
    Scan(ScanRequest),
    /// Open a stream, which replaces the one that is open.
    Listen,
    People(PeopleCall),
}

/// A change on the disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    Place(StoredPlace),
    Settings(Settings),
    Pin(StoredPin),
    /// The venue's procedure for when nobody decides.
    Procedure(Vec<String>),
    TimeZone(Option<String>),
    /// The pairing, its place, its procedure and time zone, its scans and acts.
    ForgetPairing,
    ScanOpened(KeptScan),
    ScanClosed(ScanId),
    ActOpened(Box<KeptAct>),
    ActClosed(ActId),
    DrillRow(DrillRow),
}

/// A row of the drill's own journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillRow {
    pub at_ms: u64,
    /// The name of the case.
    pub case: String,
    pub expected: Act,
    pub given: Act,
}
