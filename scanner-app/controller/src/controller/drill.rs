//! Practice: verdicts that are made up here, and what the person would do. No node is asked, nothing of
//! it reaches the node's journal, and no sound of a real verdict is heard. The cases come from printed
//! codes (`EVD1:USED`, …) or at random.

use super::{Controller, lan};
use crate::{
    io::{DrillRow, Now, Write},
    tones::Rhythm,
    view::{Act, Decider, DrillResult, DrillScore, Notice, Shown, TicketFacts, Why},
};

/// What a drill's printed codes begin with; a case follows.
pub const PREFIX: &str = "EVD1:";

/// The cases, and what is right. Without a decision a supervisor is called, like where nobody has
/// confirmed the first entry.
pub const CASES: [(&str, Act); 13] = [
    ("ADMIT", Act::LetIn),
    ("USED", Act::Stop),
    ("UNCONFIRMED", Act::Call),
    ("REVOKED", Act::Stop),
    ("NOT-HERE", Act::Stop),
    ("NOT-YET", Act::Stop),
    ("EXPIRED", Act::Stop),
    ("UNREADABLE", Act::Stop),
    ("FORGED", Act::Stop),
    ("UNKNOWN", Act::Call),
    ("LOCKED", Act::Call),
    ("NODE-FAULT", Act::Call),
    ("TOO-LATE", Act::Call),
];

const MINUTE_MS: u64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Drill {
    right: u32,
    of: u32,
    /// On the glass, and not answered.
    open: Option<&'static (&'static str, Act)>,
    last: Option<DrillResult>,
    before: Option<usize>,
}

impl Drill {
    pub(super) fn score(&self) -> DrillScore {
        DrillScore {
            right: self.right,
            of: self.of,
            asks: self.open.is_some(),
            last: self.last,
        }
    }
}

impl Controller {
    /// Not while a guest waits for a verdict.
    pub(super) fn start_drill(&mut self) {
        if self.drill.is_none() && self.is_scanning() && self.scans.is_idle() {
            self.glass.wipe();
            self.typing.clear();
            self.drill = Some(Drill::default());
        }
    }

    pub(super) fn end_drill(&mut self) {
        if self.drill.take().is_some() {
            self.glass.wipe();
        }
    }

    /// A code was read in a drill.
    pub(super) fn read_in_drill(&mut self, text: &str, now: Now) {
        let name = text.strip_prefix(PREFIX);
        let case = name.and_then(|name| CASES.iter().position(|(case, _)| *case == name));
        match case {
            Some(case) => self.show_case(case, now),
            None => self.notices.pass(Notice::OtherCode, now.boot),
        }
    }

    pub(super) fn next_case(&mut self, now: Now) {
        let Some(drill) = &self.drill else {
            return;
        };
        if drill.open.is_none() {
            let drawn = usize::from(now.random[15]) % CASES.len();
            // The same twice in a row teaches nothing.
            let again = drill.before == Some(drawn);
            self.show_case((drawn + usize::from(again)) % CASES.len(), now);
        }
    }

    fn show_case(&mut self, case: usize, now: Now) {
        let (Some(drill), Some(entry)) = (&mut self.drill, CASES.get(case)) else {
            return;
        };
        drill.open = Some(entry);
        drill.before = Some(case);
        self.glass.show(shown(entry.0, now), now.boot);
        self.play(Rhythm::Drill);
    }

    pub(super) fn answer_drill(&mut self, given: Act, now: Now) {
        let Some(drill) = &mut self.drill else {
            return;
        };
        let Some((case, expected)) = drill.open.take() else {
            return;
        };
        drill.of = drill.of.saturating_add(1);
        drill.right = drill.right.saturating_add(u32::from(given == *expected));
        drill.last = Some(DrillResult {
            expected: *expected,
            given,
        });
        self.glass.wipe();
        self.out.write(Write::DrillRow(DrillRow {
            at_ms: now.wall_ms(),
            case: (*case).to_owned(),
            expected: *expected,
            given,
        }));
    }
}

fn shown(case: &str, now: Now) -> Shown {
    let at_ms = now.wall_ms();
    let used = |confirmed| Why::AlreadyUsed {
        gate: None,
        at_ms: at_ms.saturating_sub(12 * MINUTE_MS),
        ago_ms: Some(12 * MINUTE_MS),
        confirmed,
        read_again_ms: None,
    };
    let why = match case {
        "ADMIT" => Why::Admit,
        "USED" => used(true),
        "UNCONFIRMED" => used(false),
        "REVOKED" => Why::Revoked,
        "NOT-HERE" => Why::NotValidHere { gates: Vec::new() },
        "NOT-YET" => Why::NotYet {
            admits_from_ms: at_ms + 40 * MINUTE_MS,
        },
        "EXPIRED" => Why::Expired {
            admitted_until_ms: at_ms.saturating_sub(90 * MINUTE_MS),
        },
        "FORGED" => Why::Forged,
        "UNKNOWN" => Why::UnknownOffline,
        "LOCKED" => Why::ResyncRequired,
        "NODE-FAULT" => Why::NodeFault,
        "TOO-LATE" => Why::TooLate,
        _ => Why::Unreadable,
    };
    let has_ticket = !matches!(why, Why::Unreadable | Why::Forged | Why::NodeFault);
    Shown {
        scan_id: String::new(),
        class: lan::class(&why),
        why,
        ticket: has_ticket.then(|| TicketFacts {
            title: None,
            starts_at_ms: None,
            category: "DRILL".to_owned(),
            seat: None,
        }),
        decided_by: Some(Decider::Node),
        cache_age_ms: None,
        triggered_at_ms: at_ms,
        at_ms,
        repeated: false,
        drill: true,
    }
}
