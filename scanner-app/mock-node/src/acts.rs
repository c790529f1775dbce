//! Overrides, undos, exits, changes of gate, and what is found and counted. Nothing here decides as a node does.

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::{
    ids::{ActId, ScannerId},
    lan::{
        Act, ActAnswer, ActRequest, GateFlow, InsideByGate, Match, MatchState, PerformanceCounts,
        SEARCH_CHARS, SearchAnswer, SearchBy, SearchRequest, VenueCounts, ZoneCounts,
    },
    staff::StaffRole,
    verdict::{FirstEntry, Mode, Verdict},
};

use crate::{
    api::Refused,
    clock,
    state::{State, TITLE, millis, remember},
};

const MAX_REMEMBERED: usize = 256;
const ACTS_PER_HOUR: u32 = 30;
/// Name, order, seat, and whether the ticket was used.
const GUESTS: [(&str, &str, &str, MatchState); 5] = [
    ("Amina Berger", "EV-20418", "A-12", MatchState::Used),
    ("Amin Bergeron", "EV-20419", "A-13", MatchState::Valid),
    ("Ambre Bergamote", "EV-20420", "B-01", MatchState::Revoked),
    ("Zoë Exemple", "EV-20421", "B-02", MatchState::Valid),
    ("Yann Exemple", "EV-20421", "B-03", MatchState::Valid),
];

#[derive(Debug, Default)]
pub(crate) struct Acts {
    answers: VecDeque<(ActId, ActAnswer)>,
    /// Commands: the next acts are refused so; searches are not to be had.
    pub(crate) refuse: Option<String>,
    pub(crate) search_off: bool,
}

impl State {
    pub(crate) fn act(
        &mut self,
        scanner: ScannerId,
        request: &ActRequest,
    ) -> Result<ActAnswer, Refused> {
        let mut known = self.acts.answers.iter();
        if let Some((_, answer)) = known.find(|(id, _)| *id == request.act_id) {
            return Ok(ActAnswer {
                repeated: true,
                ..answer.clone()
            });
        }
        let may = match request.act {
            Act::Exit { .. } => |_| true,
            Act::Override { .. } | Act::Undo { .. } | Act::ChangeGate => StaffRole::supervises,
        };
        let person_id = self.who_acts(scanner, request.authorisation.as_deref(), may)?;
        if let Some(code) = &self.acts.refuse {
            return Err(Refused::new(409, code));
        }
        if self.mode() == Mode::Locked {
            return Err(Refused::new(409, "node_locked"));
        }
        self.apply(scanner, request)?;
        let ticket = (request.act != Act::ChangeGate).then(|| self.ticket("A-12"));
        let answer = ActAnswer {
            act_id: request.act_id,
            person_id,
            at: Some(clock::core()),
            mode: self.mode(),
            ticket,
            repeated: false,
            left_this_hour: request.reason.as_ref().map(|_| ACTS_PER_HOUR),
        };
        let remembered = (request.act_id, answer.clone());
        remember(&mut self.acts.answers, remembered, MAX_REMEMBERED);
        self.acts_done += 1;
        Ok(answer)
    }

    fn apply(&mut self, scanner: ScannerId, request: &ActRequest) -> Result<(), Refused> {
        match &request.act {
            Act::Override { scan_id } => {
                let answer = self.scans.answer_of(*scan_id);
                let answer = answer.ok_or_else(|| Refused::new(404, "scan_not_found"))?;
                let fits = matches!(
                    answer.verdict,
                    Verdict::AlreadyUsed { .. } | Verdict::NotYet { .. }
                );
                if !fits {
                    return Err(Refused::new(409, "not_overridable"));
                }
                self.scans.newest = Some(*scan_id);
            }
            Act::Undo { scan_id } if self.scans.newest == Some(*scan_id) => {
                self.scans.newest = None;
                self.scans.admitted.pop_back();
            }
            Act::Undo { .. } => return Err(Refused::new(409, "not_newest")),
            Act::Exit { .. } if self.mode() != Mode::Online => {
                return Err(Refused::new(503, "core_unreachable"));
            }
            Act::Exit { token } => {
                let admitted = &mut self.scans.admitted;
                let at = admitted.iter().position(|(known, _)| known == token);
                let at = at.ok_or_else(|| Refused::new(409, "not_inside"))?;
                admitted.remove(at);
                let mut gates = self.gates.iter_mut();
                if let Some(gate) = gates.find(|gate| gate.gate_id == request.gate_id) {
                    gate.left += 1;
                }
            }
            Act::ChangeGate => self.staff.moved(scanner, request.gate_id),
        }
        Ok(())
    }

    pub(crate) fn search(
        &self,
        scanner: ScannerId,
        request: &SearchRequest,
    ) -> Result<SearchAnswer, Refused> {
        let word = request.authorisation.as_deref();
        let person_id = self.who_acts(scanner, word, StaffRole::finds_guests)?;
        if self.acts.search_off {
            return Err(Refused::new(403, "search_off"));
        }
        if !SEARCH_CHARS.contains(&request.text.chars().count()) {
            return Err(Refused::new(422, "validation_error"));
        }
        let wanted = request.text.to_lowercase();
        let fits = |(name, order, seat, _): &&(&str, &str, &str, MatchState)| match request.by {
            SearchBy::Name => name
                .to_lowercase()
                .split(' ')
                .any(|word| word.starts_with(&wanted)),
            SearchBy::Order => order.to_lowercase().ends_with(&wanted),
            SearchBy::Seat => seat.to_lowercase().starts_with(&wanted),
        };
        let first = |state| {
            (state == MatchState::Used).then(|| FirstEntry {
                gate: self.gates[0].gate_id,
                at: clock::core().minus(Duration::from_secs(720)),
                confirmed: true,
            })
        };
        let found = GUESTS.iter().filter(fits);
        let matches = found.map(|(name, order, seat, state)| Match {
            ticket_id: Self::new_ticket(),
            ticket: self.ticket(seat),
            name: Some((*name).to_owned()),
            order: Some((*order).to_owned()),
            state: *state,
            first: first(*state),
            first_gate_name: first(*state).map(|_| self.gates[0].name.clone()),
        });
        Ok(SearchAnswer {
            search_id: request.search_id,
            person_id,
            matches: matches.collect(),
            more: request.text.len() == *SEARCH_CHARS.start(),
            cache_age_ms: self.age().map(millis),
        })
    }

    pub(crate) fn counts(&self) -> VenueCounts {
        let inside = |gate: &eventify_protocol::lan::GateStatus| gate.admitted;
        let by_gate = self.gates.iter().map(|gate| InsideByGate {
            gate_id: gate.gate_id,
            name: gate.name.clone(),
            inside: inside(gate),
        });
        let all = self.gates.iter().map(inside).sum();
        let gates = self.gates.iter().enumerate().map(|(at, gate)| GateFlow {
            gate_id: gate.gate_id,
            name: gate.name.clone(),
            admitted: gate.admitted,
            refused: gate.refused,
            left: gate.left,
            // The second one is slow while a queue stands there.
            scans_last_minute: if at == 0 { 12 } else { 5 },
            median_between_ms: Some(if at == 0 { 4_800 } else { 11_500 }),
            median_answer_ms: Some(24),
            waited_ms: if at == 0 { 0 } else { 42_000 },
        });
        VenueCounts {
            performances: vec![PerformanceCounts {
                performance_id: self.performance(),
                title: TITLE.to_owned(),
                inside: all,
                tickets: 1_200,
                zones: vec![ZoneCounts {
                    category: "STALLS".parse().expect("a category code"),
                    name: "Stalls".to_owned(),
                    inside: all,
                    tickets: 1_200,
                }],
                by_gate: by_gate.collect(),
            }],
            gates: gates.collect(),
            cache_age_ms: self.age().map(millis),
        }
    }
}
