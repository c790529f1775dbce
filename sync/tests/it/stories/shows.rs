//! The shows that tickets are for: they move, are cancelled, and belong to somebody (`ADMISSION` 3.8,
//! 3.11).

use eventify_protocol::{
    sync::{AdmissionWindow, PerformanceEntry, PerformanceState, Subject, TicketState, Value},
    verdict::{DecidedBy, Verdict},
};
use eventify_sync::edge::Input;

use super::venue::{TONIGHT, Venue, scan_id, ticket_id, token, tonight};

/// Long after every story.
const TOMORROW: i64 = 3_000_000_000;

fn plays(venue: &mut Venue, entry: PerformanceEntry) {
    let value = Value::Performance(entry);
    venue.state(Subject::Performance(TONIGHT), value);
}

fn between(from: i64, until: i64) -> PerformanceEntry {
    PerformanceEntry {
        admits: AdmissionWindow { from, until },
        ..tonight()
    }
}

/// What the node says of a code when it decides alone.
fn alone(mut venue: Venue) -> Verdict {
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    let answer = venue.answer();
    assert_eq!(answer.decided_by, DecidedBy::Edge, "{answer:?}");
    answer.verdict
}

/// C08: nobody gets a new code, and the gate follows its feed in both directions.
#[test]
fn alone_the_gate_follows_a_show_that_was_moved_and_the_old_code_stays_good() {
    let mut over = Venue::online();
    plays(&mut over, between(0, 1));
    assert_eq!(alone(over), Verdict::Expired { expiry: 1 });

    let mut moved_away = Venue::online();
    plays(&mut moved_away, between(TOMORROW, TOMORROW + 1));
    assert_eq!(
        alone(moved_away),
        Verdict::NotYet {
            not_before: TOMORROW
        }
    );

    let mut moved_to_now = Venue::online();
    moved_to_now.scan(scan_id(7), token(1));
    moved_to_now.verdict(scan_id(7), Verdict::Expired { expiry: 1 });
    assert_eq!(
        moved_to_now.answer().verdict,
        Verdict::Expired { expiry: 1 }
    );
    plays(&mut moved_to_now, between(0, TOMORROW));
    assert_eq!(alone(moved_to_now), Verdict::Admit);
}

#[test]
fn alone_the_gate_admits_nobody_to_a_show_that_was_cancelled() {
    let mut venue = Venue::online();
    let cancelled = PerformanceEntry {
        state: PerformanceState::Cancelled,
        ..tonight()
    };
    plays(&mut venue, cancelled);
    assert_eq!(alone(venue), Verdict::Revoked);
}

/// S1: a ticket to a show that the venue does not admit to is no ticket here, however good its code.
#[test]
fn alone_the_gate_admits_nobody_to_a_show_that_it_does_not_have() {
    let mut venue = Venue::online();
    venue.delete(Subject::Performance(TONIGHT));
    assert_eq!(alone(venue), Verdict::UnknownOffline);
}

#[test]
fn alone_a_ticket_that_is_suspended_admits_nobody() {
    let mut venue = Venue::online();
    venue.publish(ticket_id(1), TicketState::Suspended);
    assert_eq!(alone(venue), Verdict::Revoked);
}
