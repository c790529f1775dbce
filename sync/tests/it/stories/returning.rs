//! The core is back: what a gate still has to wait for, and what not (`ADMISSION` 2 and 4.6).

use std::time::Duration;

use eventify_protocol::{
    sync::{JournalEntry, Plan, Position, SealedRow, TicketState},
    verdict::{Mode, Verdict},
};
use eventify_sync::edge::{Alarm, Input, Output, Reason};

use super::venue::{PROMOTED, Venue, digest_at, scan_id, ticket_id, token};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// The line was cut for so long that nobody decides.
fn locked() -> Venue {
    let mut venue = Venue::cut_off();
    venue.wait(MS(25_000));
    assert_eq!(venue.status().mode, Mode::Locked);
    venue
}

/// The line is back and the core answers three questions in a row.
fn comes_back(venue: &mut Venue) {
    venue.count_sent(|_| true);
    venue.step(Input::Connected);
    venue.welcome();
    for _ in 0..3 {
        venue.answer_question();
        venue.wait(MS(500));
    }
}

fn refuse(venue: &mut Venue, scan: u128) {
    venue.scan(scan_id(scan), token(1));
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
}

/// The rows about repeats: scan and count.
fn again(venue: &Venue) -> Vec<(u128, u64)> {
    let rows = venue.rows().iter().map(SealedRow::row);
    rows.filter_map(|row| match &row.entry {
        JournalEntry::RefusedAgain { scan, times, .. } => Some((
            scan.as_uuid().as_u128() - scan_id(0).as_uuid().as_u128(),
            *times,
        )),
        JournalEntry::Opened { .. }
        | JournalEntry::Decision(_)
        | JournalEntry::Voided { .. }
        | JournalEntry::Unreadable { .. }
        | JournalEntry::Searched(_)
        | JournalEntry::Overridden(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => None,
    })
    .collect()
}

/// N8: a gate stayed closed until each of its refusals was acknowledged.
#[test]
fn a_gate_opens_though_its_refusals_are_still_on_their_way() {
    let mut venue = locked();
    for scan in 1..40 {
        refuse(&mut venue, scan);
    }
    comes_back(&mut venue);
    assert!(venue.status().unacknowledged >= 39);
    assert_eq!(
        (venue.status().mode, venue.status().reason),
        (Mode::Online, None)
    );
}

/// N8: whom it let in itself, the core has to know first.
#[test]
fn a_gate_waits_for_its_own_admission_however_many_refusals_are_around_it() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    let admitted = venue.rows().last().map(SealedRow::head).expect("a row");
    venue.wait(MS(25_000));
    for scan in 2..40 {
        refuse(&mut venue, scan);
    }
    comes_back(&mut venue);
    assert_eq!(venue.status().reason, Some(Reason::CatchingUp));
    venue.acknowledge_end(admitted, super::venue::EPOCH);
    assert_eq!(venue.status().mode, Mode::Online, "the rest goes up behind");
}

/// N8: each of ten pulls of a guest who waits was a row.
#[test]
fn a_guest_who_tries_again_and_again_is_two_rows() {
    let mut venue = locked();
    let before = venue.rows().len();
    for _ in 0..10 {
        refuse(&mut venue, 1);
    }
    assert_eq!(venue.rows().len(), before + 1, "the decision");
    comes_back(&mut venue);
    assert_eq!(again(&venue), [(1, 9)], "and its repeats");
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
}

/// N8: the core may have an answer that was not shown since the last refusal was written.
#[test]
fn a_refusal_after_the_core_was_asked_has_a_row_of_its_own() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(12));
    venue.step(Input::Disconnected);
    venue.wait(MS(1_000));
    // Not in the cache, alone.
    assert_eq!(venue.answer().verdict, Verdict::UnknownOffline);
    venue.scan(scan_id(1), token(12));
    assert_eq!(venue.answer().verdict, Verdict::UnknownOffline);
    comes_back(&mut venue);
    venue.scan(scan_id(1), token(12));
    venue.step(Input::Disconnected);
    venue.wait(MS(1_000));
    assert_eq!(venue.answer().verdict, Verdict::UnknownOffline);
    let asked: Vec<_> = venue.decisions().iter().map(|it| it.asked_until).collect();
    let [Some(first), Some(second)] = asked[..] else {
        panic!("two decisions, each with its question: {asked:?}")
    };
    assert!(first < second);
    assert_eq!(again(&venue), [(1, 1)]);
}

/// N2: the core hears that an outage is over when it is, and that there was one.
#[test]
fn the_core_hears_of_each_mode_at_once() {
    let mut venue = Venue::online();
    let reports = |venue: &mut Venue| {
        let mut found = vec![];
        while let Some(health) = venue.sent_health() {
            found.push((health.mode, health.mode_number.expect("counted")));
        }
        found
    };
    let (mode, number) = *reports(&mut venue).last().expect("a report");
    assert_eq!(mode, Mode::Online);
    venue.step(Input::Disconnected);
    venue.wait(MS(1_000));
    comes_back(&mut venue);
    let (mode, later) = *reports(&mut venue).last().expect("a report");
    assert_eq!(mode, Mode::Online);
    assert_ne!(number, later, "there was another mode between");
}

/// N9: after a failover the entries may have come in another order, which the digest doesn't know.
#[test]
fn a_point_from_before_a_database_was_joined_discards_no_replica() {
    let mut venue = Venue::online();
    venue.publish(ticket_id(1), TicketState::Revoked);
    venue.publish(ticket_id(2), TicketState::Revoked);
    venue.step(Input::Disconnected);
    venue.count_sent(|_| true);
    venue.step(Input::Connected);
    let (from, head) = (Position(52), venue.rows().last().map(SealedRow::head));
    venue.welcome_from(PROMOTED, Plan::Delta { from }, head);
    // The answer to a question before: the promoted core had 51 entries then.
    venue.answer_question_of(PROMOTED, 51, digest_at(999));
    let discarded = |output: &Output| matches!(output, Output::Alarm(Alarm::DigestMismatch { .. }));
    assert!(!venue.outputs.iter().any(discarded));
    venue.wait(MS(500));
    venue.answer_question_of(PROMOTED, 52, digest_at(52));
    assert!(venue.status().cache_age.is_some(), "joined, and proven");
}
