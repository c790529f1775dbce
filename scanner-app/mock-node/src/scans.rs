//! The verdicts: each by its text, the same for the same scan.

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::{
    ids::{ScanId, TicketId},
    lan::{ScanAnswer, ScanRequest, ShownTicket},
    verdict::{DecidedBy, FirstEntry, Mode, Verdict},
};

use crate::{
    clock, script,
    state::{State, millis, remember},
};

/// Answers that are remembered; an older scan is decided anew.
const MAX_REMEMBERED: usize = 1_000;
/// A reader that still sees the code of whom it has just let in reads it again within this.
const READ_AGAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Scans {
    answers: VecDeque<(ScanId, ScanAnswer)>,
    pub(crate) admitted: VecDeque<(String, FirstEntry)>,
    /// Newest scan that let somebody in.
    pub(crate) newest: Option<ScanId>,
    pub(crate) decided: u64,
}

impl Scans {
    pub(crate) fn answer_of(&self, scan: ScanId) -> Option<&ScanAnswer> {
        let mut answers = self.answers.iter();
        answers
            .find(|(id, _)| *id == scan)
            .map(|(_, answer)| answer)
    }
}

impl State {
    pub(crate) fn answer(&mut self, scan: &ScanRequest) -> ScanAnswer {
        if let Some(known) = self.scans.answer_of(scan.scan_id) {
            return ScanAnswer {
                repeated: true,
                ..known.clone()
            };
        }
        let verdict = self.decide(scan);
        let by_core = self.mode() == Mode::Online;
        let is_admitted = verdict == Verdict::Admit;
        let is_used = matches!(verdict, Verdict::AlreadyUsed { .. });
        let answer = ScanAnswer {
            scan_id: scan.scan_id,
            ticket: (!matches!(verdict, Verdict::Unreadable | Verdict::Forged))
                .then(|| self.ticket("A-12")),
            first_gate_name: is_used.then(|| "North door".to_owned()),
            first_ago_ms: is_used.then_some(60_000),
            read_again_ms: is_used.then(|| self.read_again(&scan.token)).flatten(),
            admitting_gates: if matches!(verdict, Verdict::NotValidHere { .. }) {
                self.named_gates()
            } else {
                Vec::new()
            },
            verdict,
            mode: self.mode(),
            cache_age_ms: self.age().filter(|_| !by_core).map(millis),
            max_cache_age_ms: millis(self.limit()),
            decided_by: if by_core {
                DecidedBy::Core
            } else {
                DecidedBy::Edge
            },
            repeated: false,
        };
        let mut gates = self.gates.iter_mut();
        if let Some(gate) = gates.find(|gate| gate.gate_id == scan.gate_id) {
            gate.admitted += u64::from(is_admitted);
            gate.refused += u64::from(!is_admitted);
            gate.unreadable += u64::from(answer.verdict == Verdict::Unreadable);
        }
        if is_admitted {
            self.scans.newest = Some(scan.scan_id);
        }
        if answer.verdict.is_final() {
            self.scans.decided += 1;
            let remembered = (scan.scan_id, answer.clone());
            remember(&mut self.scans.answers, remembered, MAX_REMEMBERED);
        }
        answer
    }

    /// How long ago the last guest was let in, if this is their code and it was a moment ago.
    fn read_again(&self, token: &str) -> Option<u64> {
        let (last, first) = self.scans.admitted.back()?;
        let ago = clock::core().since(first.at);
        (last == token && ago <= READ_AGAIN).then(|| millis(ago))
    }

    /// What every ticket is for.
    pub(crate) fn ticket(&self, place: &str) -> ShownTicket {
        ShownTicket {
            performance_id: self.performance(),
            title: Some(crate::state::TITLE.to_owned()),
            starts_at: Some(clock::core().unix_seconds() + 1_800),
            category: "STALLS".parse().expect("a category code"),
            category_name: Some("Stalls".to_owned()),
            place: Some(place.to_owned()),
        }
    }

    pub(crate) fn new_ticket() -> TicketId {
        clock::new_id()
    }

    fn decide(&mut self, scan: &ScanRequest) -> Verdict {
        if self.mode() == Mode::Locked {
            return Verdict::ResyncRequired;
        }
        let now = clock::core();
        let verdict = script::verdict(&scan.token, scan.gate_id, self.performance(), now);
        if verdict != Verdict::Admit {
            return verdict;
        }
        let mut admitted = self.scans.admitted.iter();
        if let Some((_, first)) = admitted.find(|(token, _)| *token == scan.token) {
            return Verdict::AlreadyUsed { first: *first };
        }
        let first = FirstEntry {
            gate: scan.gate_id,
            at: now,
            confirmed: true,
        };
        let entry = (scan.token.clone(), first);
        remember(&mut self.scans.admitted, entry, MAX_REMEMBERED);
        Verdict::Admit
    }
}
