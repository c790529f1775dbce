//! Short codes that staff type where a QR code can't be read (`ADMISSION` 3.12): from there on the scan is a
//! scan of the ticket.

use std::time::Duration;

use eventify_protocol::{
    sync::TicketState,
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_sync::edge::{Input, Reply};

use super::{
    is_used,
    venue::{Venue, code, scan_id, ticket_id, token},
};

#[test]
fn online_the_core_decides_by_the_codes_hash_and_never_sees_a_text() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), code(1));
    let sent = venue.sent_scan().expect("asks the core");
    assert_eq!(sent.code, code(1).code());
    venue.verdict_on(scan_id(1), Verdict::Admit, 1);
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.decided_by),
        (Verdict::Admit, DecidedBy::Core)
    );
    let decision = venue.decisions().pop().expect("a row");
    assert_eq!(decision.ticket, Some(ticket_id(1)));
    assert_eq!(decision.token, code(1).hash(), "what was typed");
}

#[test]
fn alone_a_code_admits_once_and_its_qr_code_no_more() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), code(1));
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.mode),
        (Verdict::Admit, Mode::Degraded)
    );
    venue.scan(scan_id(2), token(1));
    assert!(is_used(&venue.answer().verdict, true));
    venue.scan(scan_id(3), token(2));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.scan(scan_id(4), code(2));
    assert!(is_used(&venue.answer().verdict, true));
}

/// Sold a second ago: the replica does not have it, and the core is asked all the same. The node knows
/// from then on whom it let in.
#[test]
fn a_code_that_the_replica_does_not_have_is_asked_at_the_core() {
    let mut venue = Venue::online();
    venue.tickets.retain(|(ticket, _)| *ticket != ticket_id(1));
    venue.scan(scan_id(1), code(1));
    assert!(venue.sent_scan().is_some(), "asks the core");
    venue.verdict_on(scan_id(1), Verdict::Admit, 1);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    assert_eq!(venue.decisions()[0].ticket, Some(ticket_id(1)));
    venue.step(Input::Disconnected);
    venue.tickets.push((ticket_id(1), TicketState::Valid));
    venue.scan(scan_id(2), token(1));
    assert!(
        is_used(&venue.answer().verdict, true),
        "the guest is inside"
    );
}

/// A core that admits and does not say whom: nobody could be stopped the second time.
#[test]
fn an_admission_without_a_ticket_is_not_shown() {
    let mut venue = Venue::online();
    venue.tickets.retain(|(ticket, _)| *ticket != ticket_id(1));
    venue.scan(scan_id(1), code(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::TryAgain);
    assert!(
        venue.decisions()[0].asked_until.is_some(),
        "the core takes it back"
    );
}

#[test]
fn a_wrong_code_is_unreadable_to_the_core_and_unknown_alone() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), code(30));
    venue.verdict(scan_id(1), Verdict::Unreadable);
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.shown.ticket),
        (Verdict::Unreadable, None)
    );
    venue.step(Input::Disconnected);
    venue.scan(scan_id(2), code(30));
    let answer = venue.answer();
    assert_eq!(answer.verdict, Verdict::UnknownOffline);
    assert!(!answer.verdict.is_final(), "it may be on its way");
}

#[test]
fn a_node_that_is_locked_decides_no_code() {
    let mut venue = Venue::cut_off();
    venue.wait(Duration::from_secs(30));
    venue.scan(scan_id(1), code(1));
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
}

/// Asked again after the ticket was issued anew, or while the replica was fetched: the same typing is the
/// same scan, whatever it was found to be.
#[test]
fn a_scan_id_is_bound_to_what_was_typed() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), code(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.tickets.retain(|(ticket, _)| *ticket != ticket_id(1));
    venue.scan(scan_id(1), code(1));
    let again = venue.answer();
    assert_eq!((again.verdict, again.repeated), (Verdict::Admit, true));
    venue.scan(scan_id(1), token(1));
    assert_eq!(
        venue.reply(),
        Some(Reply::ScanIdReused),
        "typed is not scanned"
    );
}
