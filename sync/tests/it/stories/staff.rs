//! Who works at the venue comes with the feed, and who was on shift stands in the journal's row. No verdict
//! is another one for that.

use eventify_protocol::{
    ids::PersonId,
    staff::StaffRole,
    sync::{PersonEntry, PolicyEntry, Subject, TicketState, Value},
    verdict::Verdict,
};
use eventify_sync::edge::Input;
use uuid::Uuid;

use super::venue::{Venue, scan_id, ticket_id, token};

const SAM: PersonId = PersonId(Uuid::from_u128(0x51));

fn person(name: &str) -> Value {
    Value::Person(PersonEntry {
        name: name.to_owned(),
        roles: vec![StaffRole::Steward],
    })
}

#[test]
fn a_row_names_who_was_on_shift_and_the_verdict_is_as_without() {
    for on_shift in [None, Some(SAM)] {
        let mut venue = Venue::cut_off();
        venue.on_shift = on_shift;
        venue.scan(scan_id(1), token(1));
        assert_eq!(venue.answer().verdict, Verdict::Admit);
        let decision = venue.decisions().pop().expect("a row");
        assert_eq!(decision.person, on_shift);
        // Asked again by whoever holds the scanner now, it is the same decision.
        venue.on_shift = None;
        venue.scan(scan_id(1), token(1));
        assert!(venue.answer().repeated);
        assert_eq!(venue.decisions().len(), 1);
    }
}

#[test]
fn people_come_and_go_with_the_feed_and_tickets_go_on() {
    let mut venue = Venue::online();
    assert_eq!(venue.people(), Some(vec![]));
    venue.state(Subject::Person(SAM), person("Sam"));
    let people = venue.people().expect("a replica");
    let names: Vec<_> = people
        .iter()
        .map(|(id, it)| (*id, it.name.as_str()))
        .collect();
    assert_eq!(names, [(SAM, "Sam")]);
    venue.publish(ticket_id(1), TicketState::Revoked);
    venue.delete(Subject::Person(SAM));
    assert_eq!(venue.people(), Some(vec![]));
}

#[test]
fn shifts_are_needed_only_where_the_venue_says_so() {
    let mut venue = Venue::online();
    assert!(!venue.is_shift_needed());
    let policy = PolicyEntry {
        max_cache_age_ms: 300_000,
        shift_needed: Some(true),
        ..PolicyEntry::default()
    };
    venue.state(Subject::Policy, Value::Policy(policy));
    assert!(venue.is_shift_needed());
}

#[test]
fn a_node_without_a_replica_knows_nothing_of_anybody() {
    let mut venue = Venue::closed();
    venue.step(Input::ReplicaFailed);
    assert_eq!(venue.people(), None);
}
