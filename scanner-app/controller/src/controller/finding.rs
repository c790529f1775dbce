//! Finding a guest by name, order or seat. What is found leaves the screen by itself and is forgotten; what
//! is looked for is not kept at all.

use std::time::Duration;

use eventify_lan_client::ClientError;
use eventify_protocol::{
    ids::SearchId,
    lan::{self, MatchState, SEARCH_CHARS, SearchAnswer, SearchRequest},
    staff::StaffRole,
    time::BootTime,
};

use super::{
    Controller,
    kiosk::Overlay,
    lan::ticket,
    ms32,
    people::{Errand, code_of},
};
use crate::{
    io::{Call, CallId, Now, PeopleCall},
    view::{FirstUse, Guest, GuestState, Screen, SearchBy, SearchProblem, SearchResult},
};

/// Names stand on the screen for so long after the last search.
const STAYS: Duration = Duration::from_secs(60);

pub(super) struct Finding {
    by: SearchBy,
    call: Option<CallId>,
    result: Option<SearchResult>,
    problem: Option<SearchProblem>,
    ends: BootTime,
}

impl std::fmt::Debug for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finding")
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}

impl Finding {
    pub(super) fn next(&self) -> BootTime {
        self.ends
    }

    pub(super) fn view(&self, now: BootTime) -> Screen {
        Screen::Search {
            by: self.by,
            asking: self.call.is_some(),
            result: self.result.clone(),
            problem: self.problem.clone(),
            leaves_in_ms: ms32(self.ends.since(now)),
            min_chars: u8::try_from(*SEARCH_CHARS.start()).unwrap_or(u8::MAX),
            max_chars: u8::try_from(*SEARCH_CHARS.end()).unwrap_or(u8::MAX),
        }
    }
}

impl Controller {
    pub(super) fn show_search(&mut self, now: BootTime) {
        if !self.is_scanning() || self.drill.is_some() {
            return;
        }
        if self.staff.may(StaffRole::finds_guests) {
            self.open_search(now);
        } else {
            self.ask_word(Errand::Search);
        }
    }

    pub(super) fn open_search(&mut self, now: BootTime) {
        self.overlay = Overlay::Search(Box::new(Finding {
            by: SearchBy::Name,
            call: None,
            result: None,
            problem: None,
            ends: now.plus(STAYS),
        }));
    }

    pub(super) fn search(&mut self, by: SearchBy, text: &str, now: Now) {
        let (Some(place), Overlay::Search(finding)) = (self.place, &mut self.overlay) else {
            return;
        };
        let text = text.trim();
        if finding.call.is_some() || !SEARCH_CHARS.contains(&text.chars().count()) {
            return;
        }
        let request = SearchRequest {
            search_id: SearchId(self.ids.next(now)),
            gate_id: place.gate_id,
            by: match by {
                SearchBy::Name => lan::SearchBy::Name,
                SearchBy::Order => lan::SearchBy::Order,
                SearchBy::Seat => lan::SearchBy::Seat,
            },
            text: text.to_owned(),
            performance_id: place.performance_id,
            authorisation: self.staff.word_for(StaffRole::finds_guests),
        };
        let call = Call::People(PeopleCall::Search(Box::new(request)));
        **finding = Finding {
            by,
            call: Some(self.out.call(call)),
            result: None,
            problem: None,
            ends: now.boot.plus(STAYS),
        };
    }

    pub(super) fn on_found(
        &mut self,
        call: CallId,
        result: Result<Box<SearchAnswer>, ClientError>,
        now: BootTime,
    ) {
        let Overlay::Search(finding) = &mut self.overlay else {
            return;
        };
        if finding.call.take_if(|id| *id == call).is_none() {
            return;
        }
        finding.ends = now.plus(STAYS);
        match result {
            Ok(answer) => finding.result = Some(found(*answer)),
            Err(error) => {
                let problem = problem(&error);
                if code_of(&error) == Some("no_shift") {
                    self.staff.on_shift_gone();
                } else if problem == SearchProblem::NotAllowed {
                    self.staff.on_word_over();
                }
                finding.problem = Some(problem);
            }
        }
    }

    /// The names have stood for long enough.
    pub(super) fn tick_search(&mut self, now: BootTime) {
        if matches!(&self.overlay, Overlay::Search(finding) if finding.ends <= now) {
            self.overlay = Overlay::None;
        }
    }
}

fn found(answer: SearchAnswer) -> SearchResult {
    let guest = |found: lan::Match| Guest {
        ticket_id: found.ticket_id.to_string(),
        name: found.name,
        order: found.order,
        ticket: ticket(found.ticket),
        state: match found.state {
            MatchState::Valid => GuestState::Valid,
            MatchState::Used => GuestState::Used,
            MatchState::Revoked => GuestState::Revoked,
        },
        first: found.first.map(|first| FirstUse {
            gate: found.first_gate_name,
            at_ms: u64::try_from(first.at.0 / 1_000).unwrap_or(0),
            confirmed: first.confirmed,
        }),
    };
    SearchResult {
        guests: answer.matches.into_iter().map(guest).collect(),
        more: answer.more,
        cache_age_ms: answer.cache_age_ms,
    }
}

fn problem(error: &ClientError) -> SearchProblem {
    let Some(refusal) = error.refusal() else {
        return SearchProblem::NoAnswer;
    };
    match (refusal.error.code.as_str(), refusal.retry_after) {
        ("search_off", _) => SearchProblem::Off,
        ("node_locked", _) => SearchProblem::Locked,
        ("not_allowed" | "authorisation_unknown" | "no_shift", _) => SearchProblem::NotAllowed,
        (_, Some(wait)) if refusal.status == 429 => SearchProblem::TooMany {
            wait_ms: ms32(wait),
        },
        (code, _) => SearchProblem::Refused {
            code: code.to_owned(),
        },
    }
}
