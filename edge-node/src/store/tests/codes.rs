//! Tickets by their short codes, and the replica of a release that knew none.

use eventify_sync::token::TokenCheck;

use super::*;

/// By snapshot and by delta, and a ticket that was issued again has another code.
#[test]
fn a_ticket_is_found_by_its_short_code() {
    let fixture = empty();
    let entries = [
        ticket(10, 1, TicketState::Valid),
        ticket(11, 1, TicketState::Valid),
    ];
    let reader = reader_of(fixture.pull(&snapshot(1, 40, &entries)));
    let find = |of: u128| {
        let checked = TokenCheck::Code {
            code: code_hash(of),
            ticket: None,
        };
        let found = reader.find_scanned(&checked).unwrap();
        found.map(|found| (found.ticket.0.as_u128(), found.place))
    };
    let place = Some("A-12".to_owned());
    assert_eq!(find(10), Some((10, place.clone())));
    assert_eq!(find(12), None);
    let mut again = ticket(10, 2, TicketState::Valid);
    if let Some(Value::Ticket(entry)) = &mut again.value {
        entry.code = Some(code_hash(77).tag());
    }
    fixture.apply(40, vec![again, ticket(12, 1, TicketState::Valid)]);
    assert_eq!(find(10), None, "the old code");
    assert_eq!(find(77), Some((10, place.clone())));
    assert_eq!(find(12), Some((12, place)));
}

/// Which the core does not let be: nobody is let in by a guess.
#[test]
fn a_code_of_two_tickets_is_nobodys() {
    let fixture = empty();
    let mut other = ticket(11, 1, TicketState::Valid);
    if let Some(Value::Ticket(entry)) = &mut other.value {
        entry.code = Some(code_hash(10).tag());
    }
    let entries = [ticket(10, 1, TicketState::Valid), other];
    let reader = reader_of(fixture.pull(&snapshot(1, 40, &entries)));
    let checked = TokenCheck::Code {
        code: code_hash(10),
        ticket: None,
    };
    assert_eq!(reader.find_scanned(&checked).unwrap(), None);
}

#[test]
fn a_replica_of_an_older_form_is_begun_anew() {
    let fixture = empty();
    let entries = [ticket(1, 1, TicketState::Valid), gate(2, 1, "North")];
    fixture.pull(&snapshot(1, 40, &entries));
    let fixture = fixture.restart();
    assert!(fixture.found.replica.is_some());
    let older = rusqlite::Connection::open(fixture.reader.path()).unwrap();
    let as_before = "UPDATE tickets SET bytes = x'0102';
        DROP INDEX tickets_by_code;
        ALTER TABLE tickets DROP COLUMN code;";
    older.execute_batch(as_before).unwrap();
    older.pragma_update(None, "user_version", 3).unwrap();
    drop(older);
    let fixture = fixture.restart();
    assert!(fixture.found.replica.is_none());
    assert_eq!(fixture.found.tickets, 0);
    assert!(matches!(
        fixture.pull(&snapshot(2, 41, &entries)),
        Notice::SnapshotReady { tickets: 1, .. }
    ));
}
