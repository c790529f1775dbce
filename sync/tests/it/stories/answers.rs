//! What a steward is told beside a verdict: whose word it is, and that it is nobody's who made a code.

use std::time::Duration;

use eventify_protocol::{
    ids::{GateId, PerformanceId, ScannerId},
    sync::{
        AdmissionWindow, GateEntry, PerformanceEntry, PerformanceState, Subject, TicketState,
        UsedBy, Value,
    },
    time::CoreTime,
    verdict::{FirstEntry, Mode, Verdict},
};
use eventify_sync::{
    edge::{Input, READ_AGAIN},
    token::TokenCheck,
};
use uuid::Uuid;

use super::{
    is_used,
    venue::{
        ANOTHERS_GATE, GATE, SCANNER, TONIGHT, Venue, code, scan_id, ticket_id, token, tonight,
    },
};

const OTHER_SCANNER: ScannerId = ScannerId(Uuid::from_u128(0x52));
const MATINEE: PerformanceId = PerformanceId(Uuid::from_u128(0x51));

/// A steward sees what green is for, whoever decided, and also when the answer is repeated.
#[test]
fn an_answer_names_show_category_and_seat() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    let shown = venue.answer().shown.ticket.expect("a ticket of ours");
    assert_eq!(
        (shown.performance_id, shown.title.as_deref()),
        (TONIGHT, Some("Hamlet"))
    );
    assert_eq!(shown.starts_at, Some(tonight().starts_at));
    assert_eq!(shown.category.as_str(), "STALLS");
    assert_eq!(shown.category_name.as_deref(), Some("Stalls, reduced"));
    assert_eq!(shown.place.as_deref(), Some("A-1"));
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    let repeated = venue.answer();
    assert!(repeated.repeated);
    assert_eq!(repeated.shown.ticket, Some(shown));
    venue.scan(scan_id(2), token(2));
    let alone = venue.answer();
    assert_eq!(alone.mode, Mode::Degraded);
    assert_eq!(
        alone.shown.ticket.expect("in the replica").place.as_deref(),
        Some("A-2")
    );
}

/// The replica does not have it yet, and the core does.
#[test]
fn a_ticket_sold_a_second_ago_is_shown_as_the_core_names_it() {
    let mut venue = Venue::online();
    venue.tickets.retain(|(ticket, _)| *ticket != ticket_id(1));
    venue.scan(scan_id(1), token(1));
    venue.verdict_on(scan_id(1), Verdict::Admit, 1);
    let shown = venue.answer().shown.ticket.expect("the core knows it");
    assert_eq!(shown.place.as_deref(), Some("A-1"));
    assert_eq!(shown.title.as_deref(), Some("Hamlet"));
}

/// Nobody is known to have signed it, or nobody knows the ticket: what a code says of itself is not
/// shown, and of a ticket only what replica and core say.
#[test]
fn an_answer_names_nothing_that_only_a_code_says() {
    let TokenCheck::Signed(claimed) = token(1) else {
        panic!("signed")
    };
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), TokenCheck::UnknownKey { claimed });
    assert_eq!(venue.answer().shown.ticket, None);
    let hash = claimed.hash;
    venue.scan(scan_id(2), TokenCheck::Forged { hash });
    assert_eq!(venue.answer().shown.ticket, None);
    let mut elsewhere = claimed;
    elsewhere.claims.performance = MATINEE;
    venue.scan(scan_id(3), TokenCheck::Signed(elsewhere));
    let shown = venue.answer().shown.ticket.expect("the ticket is known");
    assert_eq!(shown.performance_id, TONIGHT, "as the replica has it");
    venue.tickets.retain(|(ticket, _)| *ticket != ticket_id(2));
    venue.scan(scan_id(4), token(2));
    let unknown = venue.answer();
    assert_eq!(
        (unknown.verdict, unknown.shown.ticket),
        (Verdict::UnknownOffline, None)
    );
}

/// C12: "a minute ago at the north gate" is a copy in the queue, "an hour ago" is somebody back from the
/// bar; the scanner's own clock tells neither.
#[test]
fn a_used_ticket_says_where_and_how_long_ago() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.answer();
    venue.step(Input::Disconnected);
    let minute = Duration::from_secs(10);
    venue.wait(minute);
    venue.scan(scan_id(2), token(1));
    let used = venue.answer();
    assert!(is_used(&used.verdict, true), "{used:?}");
    assert_eq!(used.shown.first_gate_name.as_deref(), Some("North"));
    let ago = used.shown.first_ago.expect("the core's clock is known");
    assert!(ago.abs_diff(minute) < Duration::from_secs(1), "{ago:?}");

    let by = UsedBy {
        scan: scan_id(77),
        gate: ANOTHERS_GATE,
        at: CoreTime(i64::MAX),
        confirmed: false,
    };
    let mut venue = Venue::cut_off();
    venue.tickets[2].1 = TicketState::Used(by);
    venue.scan(scan_id(3), token(3));
    let ahead = venue.answer().shown;
    assert_eq!(ahead.first_gate_name.as_deref(), Some("South"));
    assert_eq!(ahead.first_ago, Some(Duration::ZERO), "never in the future");
}

/// C14: a reader that still sees the code reads it again. Whoever decides, the steward is told that it is the guest
/// whom they have just let in; nobody else with that ticket is.
#[test]
fn a_code_that_the_reader_sees_again_is_of_the_guest_who_was_just_let_in() {
    for line_is_cut in [false, true] {
        let mut venue = Venue::online();
        venue.scan(scan_id(1), token(1));
        venue.verdict(scan_id(1), Verdict::Admit);
        assert_eq!(venue.answer().shown.read_again, None);
        if line_is_cut {
            venue.step(Input::Disconnected);
        }
        let again = |venue: &mut Venue, scan: u128, number: u8| {
            venue.scan(scan_id(scan), token(number));
            if !venue.questions_about(scan_id(scan)).is_empty() {
                let first = FirstEntry {
                    gate: GATE,
                    at: venue.core_time(),
                    confirmed: false,
                };
                venue.verdict(scan_id(scan), Verdict::AlreadyUsed { first });
            }
            let answer = venue.answer();
            assert!(
                matches!(answer.verdict, Verdict::AlreadyUsed { .. }),
                "{answer:?}"
            );
            answer.shown.read_again
        };
        let moment = Duration::from_millis(300);
        venue.wait(moment);
        assert_eq!(again(&mut venue, 2, 1), Some(moment), "cut: {line_is_cut}");
        assert_eq!(
            venue.questions_about(scan_id(2)).is_empty(),
            line_is_cut,
            "the core was asked"
        );
        venue.scanner = OTHER_SCANNER;
        assert_eq!(again(&mut venue, 3, 1), None, "with another scanner");
        venue.scanner = SCANNER;
        venue.wait(READ_AGAIN);
        assert_eq!(again(&mut venue, 4, 1), None, "later");
    }
}

/// The friend behind, with the same ticket, once somebody else has gone in.
#[test]
fn a_copy_behind_the_next_guest_is_no_code_that_was_read_again() {
    let mut venue = Venue::cut_off();
    for (scan, number) in [(1, 1), (2, 2)] {
        venue.scan(scan_id(scan), token(number));
        assert_eq!(venue.answer().verdict, Verdict::Admit);
    }
    venue.scan(scan_id(3), token(1));
    let copy = venue.answer();
    assert!(is_used(&copy.verdict, true), "{copy:?}");
    assert_eq!(copy.shown.read_again, None);
}

#[test]
fn a_ticket_at_the_wrong_gate_is_told_the_right_ones() {
    let mut venue = Venue::online();
    let gate = |name: &str, performances: &[PerformanceId]| {
        Value::Gate(GateEntry {
            name: name.to_owned(),
            performances: performances.to_vec(),
            categories: vec![],
        })
    };
    venue.state(Subject::Gate(GATE), gate("North", &[MATINEE]));
    let west = GateId(Uuid::from_u128(0x77));
    venue.state(Subject::Gate(west), gate("Annexe", &[TONIGHT]));
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    let answer = venue.answer();
    assert!(
        matches!(answer.verdict, Verdict::NotValidHere { .. }),
        "{answer:?}"
    );
    let gates = &answer.shown.admitting_gates;
    let names: Vec<_> = gates.iter().map(|gate| gate.name.as_str()).collect();
    assert_eq!(names, ["Annexe", "South"]);
    assert_eq!(
        answer.shown.ticket.expect("known").title.as_deref(),
        Some("Hamlet")
    );
}

/// A scanner is set up by names: what is played around now, and where it is let in.
#[test]
fn a_status_names_what_the_gates_admit_to_around_now() {
    let mut venue = Venue::online();
    let show = |title: &str, from: i64, until: i64, state| {
        Value::Performance(PerformanceEntry {
            title: title.to_owned(),
            doors_at: from,
            admits: AdmissionWindow { from, until },
            state,
            ..tonight()
        })
    };
    let shows = [
        ("Over", -7_200, -3_600, PerformanceState::Scheduled),
        (
            "Next week",
            7 * 86_400,
            8 * 86_400,
            PerformanceState::Scheduled,
        ),
        ("Cancelled", 7_200, 9_000, PerformanceState::Cancelled),
    ];
    for (number, (title, from, until, state)) in (0x91..).zip(shows) {
        let id = PerformanceId(Uuid::from_u128(number));
        venue.state(Subject::Performance(id), show(title, from, until, state));
    }
    let near = venue.status().performances;
    let named: Vec<_> = near
        .iter()
        .map(|it| (it.title.as_str(), it.state))
        .collect();
    assert_eq!(
        named,
        [
            ("Hamlet", PerformanceState::Scheduled),
            ("Cancelled", PerformanceState::Cancelled)
        ]
    );
    assert_eq!(near[0].gates, [GATE], "the node's own gates only");
    assert_eq!(near[0].starts_at, tonight().starts_at);
    assert_eq!(
        Venue::closed().status().performances,
        [],
        "no time is known yet"
    );
}

/// Typed or scanned, the steward sees the same.
#[test]
fn a_typed_code_shows_the_ticket_that_it_stands_for() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), code(4));
    let typed = venue.answer().shown.ticket.expect("the replica knows it");
    venue.scan(scan_id(2), token(4));
    assert_eq!(venue.answer().shown.ticket, Some(typed));
}
