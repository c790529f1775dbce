//! Guests found, and the venue in numbers.

use eventify_protocol::{
    ids::{PerformanceId, PersonId, TicketId},
    lan::{GateFlow, Match, MatchState, SearchAnswer, SearchRequest, ShownTicket, VenueCounts},
};

use super::{crew::*, *};
use crate::{
    command::SecretText,
    view::{GuestState, PersonFor, SearchBy, SearchProblem},
};

impl Gate {
    fn look_for(&mut self, text: &str) {
        let text = SecretText(text.to_owned());
        let by = SearchBy::Name;
        self.command(Command::Search { by, text });
    }

    fn asked_for(&self) -> Option<&SearchRequest> {
        let call = self.people_call(|call| matches!(call, PeopleCall::Search(_)));
        let Some(PeopleCall::Search(request)) = call else {
            return None;
        };
        Some(request)
    }

    fn found(&mut self, result: Result<SearchAnswer, ClientError>) {
        self.answer_people(
            |call| matches!(call, PeopleCall::Search(_)),
            PeopleAnswer::Found(result.map(Box::new)),
        );
    }
}

fn one_guest(gate: &Gate) -> SearchAnswer {
    let ticket = ShownTicket {
        performance_id: PerformanceId(Uuid::nil()),
        title: None,
        starts_at: None,
        category: "STALLS".parse().unwrap(),
        category_name: None,
        place: Some("A-12".to_owned()),
    };
    SearchAnswer {
        search_id: gate.asked_for().unwrap().search_id,
        person_id: PersonId(Uuid::from_u128(SUPERVISOR)),
        matches: vec![Match {
            ticket_id: TicketId(Uuid::from_u128(4)),
            ticket,
            name: Some("Amina Berger".to_owned()),
            order: None,
            state: MatchState::Used,
            first: None,
            first_gate_name: None,
        }],
        more: false,
        cache_age_ms: None,
    }
}

#[test]
fn a_supervisor_finds_a_guest_and_after_a_minute_no_name_is_left() {
    let mut gate = held_by(supervisor());
    gate.type_keys(&["F2"]);
    gate.look_for("b");
    assert!(gate.asked_for().is_none(), "two characters at least");
    gate.look_for(" berg ");
    assert_eq!(gate.asked_for().unwrap().text, "berg");
    assert!(!format!("{:?}", gate.calls).contains("berg"));
    let answer = one_guest(&gate);
    gate.found(Ok(answer));
    let Screen::Search {
        result: Some(result),
        leaves_in_ms: 60_000,
        ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(result.guests[0].name.as_deref(), Some("Amina Berger"));
    assert_eq!(result.guests[0].state, GuestState::Used);
    assert!(!format!("{:?}", gate.app.view(gate.now)).contains("Amina"));
    gate.pass(60_000);
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    assert!(!format!("{:?}", gate.app).contains("Amina"));
}

#[test]
fn a_steward_asks_somebody_who_may() {
    let mut gate = held_by(steward());
    gate.command(Command::ShowSearch);
    assert!(matches!(
        gate.screen(),
        Screen::People {
            wanted_for: PersonFor::Guests,
            ..
        }
    ));
    gate.choose_person(SUPERVISOR);
    gate.type_pin("246802");
    gate.authorised(supervisor());
    gate.look_for("berg");
    assert_eq!(
        gate.asked_for().unwrap().authorisation.as_deref(),
        Some("word")
    );
}

#[test]
fn a_search_that_is_refused_says_why() {
    let refusals = [
        (refused(403, "search_off", None), SearchProblem::Off),
        (refused(409, "node_locked", None), SearchProblem::Locked),
        (refused(403, "not_allowed", None), SearchProblem::NotAllowed),
        (
            refused(429, "too_many_searches", Some(Duration::from_secs(20))),
            SearchProblem::TooMany { wait_ms: 20_000 },
        ),
        (no_answer(), SearchProblem::NoAnswer),
    ];
    for (error, expected) in refusals {
        let mut gate = held_by(supervisor());
        gate.command(Command::ShowSearch);
        gate.look_for("berg");
        gate.found(Err(error));
        let Screen::Search { problem, .. } = gate.screen() else {
            panic!("{:?}", gate.screen())
        };
        assert_eq!(problem, Some(expected));
    }
}

#[test]
fn a_ticket_under_the_imager_wipes_the_names_and_is_scanned() {
    let mut gate = held_by(supervisor());
    gate.command(Command::ShowSearch);
    gate.look_for("berg");
    let answer = one_guest(&gate);
    gate.found(Ok(answer));
    gate.scan("A");
    assert!(gate.asked().is_some());
    assert!(!format!("{:?}", gate.app).contains("Amina"));
}

#[test]
fn the_venues_numbers_are_looked_at_every_five_seconds_and_a_gate_with_a_slow_queue_is_marked() {
    let mut gate = held_by(supervisor());
    gate.command(Command::ShowCounts);
    let flow = |number: u128, between: Option<u64>| GateFlow {
        gate_id: gate_id(number),
        name: format!("Gate {number}"),
        admitted: 9,
        refused: 1,
        left: 0,
        scans_last_minute: 6,
        median_between_ms: between,
        median_answer_ms: None,
        waited_ms: 0,
    };
    let counts = VenueCounts {
        performances: Vec::new(),
        // At 8.3 a minute one comes each 7.2 s; further apart than 20 s there is no queue.
        gates: vec![
            flow(1, Some(7_100)),
            flow(2, Some(7_400)),
            flow(3, Some(40_000)),
            flow(4, None),
        ],
        cache_age_ms: None,
    };
    gate.answer_people(
        |call| matches!(call, PeopleCall::Counts),
        PeopleAnswer::Counted(Ok(Box::new(counts))),
    );
    let Screen::VenueCounts {
        numbers: Some(numbers),
        failed: false,
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    let slow: Vec<_> = numbers.gates.iter().map(|gate| gate.slow).collect();
    assert_eq!(slow, [false, true, false, false]);
    gate.pass(5_000);
    gate.answer_people(
        |call| matches!(call, PeopleCall::Counts),
        PeopleAnswer::Counted(Err(no_answer())),
    );
    assert!(matches!(
        gate.screen(),
        Screen::VenueCounts {
            numbers: Some(_),
            failed: true
        }
    ));
}
