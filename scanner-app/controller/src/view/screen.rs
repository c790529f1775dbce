use serde::Serialize;
use ts_rs::TS;

use crate::command::SecretText;

use super::{
    ActKind, Device, GateChoice, ImportProblem, LockReason, NewPinProblem, PairAgainReason,
    PairProblem, PastScan, PersonChoice, PersonFor, PersonPinProblem, PinFor, Reason, SearchBy,
    SearchProblem, SearchResult, Shown, SignInCode, SignInProblem, TypedCode, Undoable,
    VenueNumbers,
};

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
        typed: SecretText,
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
    /// The node has not answered yet; shown from [`super::CHECKING_AFTER_MS`] on.
    Checking {
        /// What is asked for, if it is no scan.
        act: Option<ActKind>,
        /// Since the trigger.
        age_ms: u32,
        /// How often the node was asked.
        tries: u32,
        /// Codes that were scanned meanwhile; each gets its own verdict, in their order.
        waiting: u32,
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
        /// Settings as one code, to be scanned by another scanner. No secrets are in it.
        export: String,
        /// Why the code scanned here was not taken.
        problem: Option<ImportProblem>,
        /// A PIN keeps people in the kiosk.
        has_pin: bool,
    },
    /// The PIN that lets the person out of the kiosk.
    Pin {
        wanted_for: PinFor,
        /// Digits typed; the digits themselves stay in the controller.
        digits: u8,
        wrong: bool,
        /// Until the next try, after too many wrong ones.
        locked_ms: Option<u32>,
    },
    /// Who works here: one of them is to be chosen.
    People {
        wanted_for: PersonFor,
        /// Nobody scans before.
        needed: bool,
        /// By name.
        people: Vec<PersonChoice>,
        /// A first sign-in is possible.
        online: bool,
        /// The node is being asked for the list.
        asking: bool,
        /// Scans that go on when somebody is signed in.
        waiting: u32,
    },
    /// The PIN of a person.
    PersonPin {
        wanted_for: PersonFor,
        person: String,
        /// Digits typed; the digits themselves stay in the controller.
        digits: u8,
        /// Digits of a whole one, which is sent by itself.
        length: u8,
        /// The node is being asked.
        asking: bool,
        problem: Option<PersonPinProblem>,
        /// Until the next try, after too many wrong ones.
        locked_ms: Option<u32>,
    },
    /// The first sign-in, on a telephone of the person's own.
    SignIn {
        person: String,
        /// None while the node is being asked for it, and beside a problem.
        code: Option<SignInCode>,
        problem: Option<SignInProblem>,
    },
    /// A PIN is chosen, twice.
    NewPin {
        person: String,
        digits: u8,
        length: u8,
        /// For the second time.
        again: bool,
        asking: bool,
        problem: Option<NewPinProblem>,
    },
    /// What can be done beside scanning.
    Supervisor {
        /// The last scan, if it can be overridden.
        overridable: Option<PastScan>,
        /// The last admission, if it can be taken back.
        undoable: Option<Undoable>,
        /// Nobody decides at present, and so nobody overrides.
        locked: bool,
        /// The core decides: exits are possible.
        online: bool,
        /// There are people to sign in.
        staffed: bool,
        /// What needs a supervisor needs no PIN now.
        supervises: bool,
        /// The same for looking for guests.
        finds_guests: bool,
    },
    /// Why: the last question before an act.
    Reason {
        act: ActKind,
        /// The scan that it is about.
        scan: Option<PastScan>,
        /// The gate that it leads to.
        gate: Option<String>,
        /// Those that fit, the likeliest first.
        reasons: Vec<Reason>,
        /// Until it is too late.
        left_ms: Option<u32>,
        /// Longest note.
        max_note: u8,
    },
    /// Finding a guest. Leaves by itself.
    Search {
        by: SearchBy,
        asking: bool,
        result: Option<SearchResult>,
        problem: Option<SearchProblem>,
        /// Until it leaves, with all names.
        leaves_in_ms: u32,
        min_chars: u8,
        max_chars: u8,
    },
    /// How many are inside, and how fast the gates are.
    VenueCounts {
        /// None before the node has told them.
        numbers: Option<VenueNumbers>,
        /// The node did not tell them when it was last asked.
        failed: bool,
    },
}

impl Screen {
    /// Whether every key belongs to a code, or to a PIN: its buttons have function keys.
    #[must_use]
    pub fn takes_codes(&self) -> bool {
        match self {
            Self::Starting
            | Self::Pair { .. }
            | Self::Ready { .. }
            | Self::Checking { .. }
            | Self::Verdict(_)
            | Self::History { .. }
            | Self::Locked { .. }
            | Self::NodeUnreachable { .. }
            | Self::PairAgain { .. }
            | Self::Pin { .. }
            | Self::PersonPin { .. }
            | Self::NewPin { .. }
            | Self::VenueCounts { .. } => true,
            Self::Choose { .. }
            | Self::Settings { .. }
            | Self::People { .. }
            | Self::SignIn { .. }
            | Self::Supervisor { .. }
            | Self::Reason { .. }
            | Self::Search { .. } => false,
        }
    }
}

#[cfg(test)]
mod for_fingers {
    /// The window's tests are made of views whose `takesCodes` a list of the window's own says; what it says of
    /// a screen has to be what the controller does.
    #[test]
    fn the_windows_list_of_screens_for_fingers_is_the_controllers() {
        let between = |text: &'static str, begin: &str, end: &str| {
            let (_, rest) = text.split_once(begin).unwrap();
            rest.split_once(end).unwrap().0
        };
        let windows = between(
            include_str!("../../../ui/src/host/base.ts"),
            "FOR_FINGERS: ReadonlySet<Screen['name']> = new Set([",
            "]);",
        );
        let windows: Vec<_> = windows.split('\'').skip(1).step_by(2).collect();
        let own = between(include_str!("screen.rs"), "fn takes_codes", "=> false");
        let own = own.rsplit_once("=> true,").unwrap().1;
        let names = own.split("Self::").skip(1).map(|rest| {
            let name: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            name[..1].to_ascii_lowercase() + &name[1..]
        });
        let own: Vec<_> = names.collect();
        assert!(!own.is_empty());
        assert_eq!(windows, own);
    }
}
