//! A scan's way, decided by the core and by the node alone (`ADMISSION` 2 and 3).

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    sync::{JournalEntry, TicketState, UsedBy},
    time::CoreTime,
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_sync::{
    edge::{Input, Reason, Reply},
    token::TokenCheck,
};

use super::{
    is_used,
    venue::{ANOTHERS_GATE, GATE, PROMOTED, Venue, scan_id, ticket_id, token},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn online_the_core_decides_and_the_row_is_on_disk_before_the_verdict_leaves() {
    let mut venue = Venue::online();
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    let sent = venue.sent_scan().expect("asks the core");
    assert_eq!((sent.scan, sent.gate), (scan_id(1), GATE));
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.decisions().len(), 1, "written down");
    assert_eq!(venue.reply(), None, "but not synced yet");
    venue.sync();
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.decided_by),
        (Verdict::Admit, DecidedBy::Core)
    );
    assert_eq!(answer.mode, Mode::Online);
}

#[test]
fn the_deadline_lies_within_the_nodes_own_waiting_time() {
    let mut venue = Venue::online();
    venue.wait(MS(200));
    venue.scan(scan_id(1), token(1));
    let deadline = venue.sent_scan().expect("asks").deadline;
    let latest = venue.status().core_time.expect("known").latest;
    assert!(deadline.since(latest) <= MS(300), "{deadline:?} {latest:?}");
}

#[test]
fn without_an_answer_in_time_the_node_decides_alone_and_a_late_verdict_changes_nothing() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(299));
    assert_eq!(venue.reply(), None);
    venue.wait(MS(1));
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.mode),
        (Verdict::Admit, Mode::Degraded)
    );
    assert_eq!(answer.decided_by, DecidedBy::Edge);
    venue.verdict(scan_id(1), Verdict::Revoked);
    assert_eq!((venue.reply(), venue.decisions().len()), (None, 1));
}

#[test]
fn a_scan_in_flight_waits_for_its_deadline_even_when_the_pipe_is_gone() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.step(Input::Disconnected);
    assert_eq!(venue.reply(), None, "the core may still execute it");
    venue.wait(MS(300));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
}

#[test]
fn scans_wait_for_one_shared_attempt_and_a_failed_one_holds() {
    let mut venue = Venue::cut_off();
    venue.wait(MS(100));
    venue.scan(scan_id(1), token(1));
    assert_eq!(
        venue.answer().mode,
        Mode::Degraded,
        "the cut itself was a failure"
    );
    let mut doubtful = Venue::closed();
    doubtful.scan(scan_id(1), token(1));
    doubtful.wait(MS(200));
    doubtful.scan(scan_id(2), token(2));
    assert_eq!(doubtful.reply(), None);
    doubtful.wait(MS(100));
    assert_eq!(doubtful.answer().verdict, Verdict::ResyncRequired);
    assert_eq!(doubtful.answer().verdict, Verdict::ResyncRequired);
    doubtful.scan(scan_id(3), token(3));
    assert_eq!(
        doubtful.answer().verdict,
        Verdict::ResyncRequired,
        "at once"
    );
}

#[test]
fn alone_it_admits_no_ticket_that_the_cache_does_not_have_as_valid() {
    let mut venue = Venue::cut_off();
    venue.tickets.retain(|(ticket, _)| *ticket != ticket_id(2));
    let other = UsedBy {
        scan: scan_id(99),
        gate: GATE,
        at: CoreTime(5),
        confirmed: false,
    };
    for (ticket, state) in &mut venue.tickets {
        if *ticket == ticket_id(3) {
            *state = TicketState::Revoked;
        } else if *ticket == ticket_id(4) {
            *state = TicketState::Used(other);
        } else if *ticket == ticket_id(5) {
            *state = TicketState::Used(UsedBy {
                scan: scan_id(5),
                ..other
            });
        }
    }
    let mut verdict = |scan, checked| {
        venue.scan(scan_id(scan), checked);
        venue.answer().verdict
    };
    assert_eq!(verdict(1, token(1)), Verdict::Admit);
    assert_eq!(verdict(2, token(2)), Verdict::UnknownOffline);
    assert_eq!(verdict(3, token(3)), Verdict::Revoked);
    assert!(is_used(&verdict(4, token(4)), false));
    assert_eq!(
        verdict(5, token(5)),
        Verdict::Admit,
        "its own scan, answered by the core once"
    );
    let hash = Hash32([1; 32]);
    assert_eq!(
        verdict(6, TokenCheck::Unreadable { hash }),
        Verdict::Unreadable
    );
    assert_eq!(
        verdict(
            7,
            TokenCheck::Forged {
                hash: hash.0.into()
            }
        ),
        Verdict::Forged
    );
    let TokenCheck::Signed(claimed) = token(6) else {
        panic!("signed")
    };
    assert_eq!(
        verdict(8, TokenCheck::UnknownKey { claimed }),
        Verdict::UnknownOffline
    );
}

#[test]
fn two_scanners_with_one_ticket_are_decided_against_the_batch_in_flight() {
    let mut venue = Venue::cut_off();
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.scan(scan_id(2), token(1));
    venue.sync();
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    assert!(is_used(&venue.answer().verdict, true));
}

#[test]
fn the_cores_admit_does_not_stand_beside_an_own_one_that_it_did_not_know() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(100));
    venue.scan(scan_id(2), token(1));
    venue.wait(MS(200));
    assert_eq!(
        venue.answer().verdict,
        Verdict::Admit,
        "the first, given up on, decided alone"
    );
    venue.verdict(scan_id(2), Verdict::Admit);
    let second = venue.answer();
    assert!(is_used(&second.verdict, true), "{second:?}");
    assert_eq!(second.decided_by, DecidedBy::Edge);
}

#[test]
fn a_verdict_of_another_database_does_not_count() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict_of(PROMOTED, scan_id(1), Verdict::Admit);
    assert_eq!(venue.reply(), None);
    assert!(
        venue.sent_hello().is_some(),
        "it has to name first what it holds"
    );
}

#[test]
fn past_the_limit_nobody_decides_but_a_final_verdict_stands() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.wait(Duration::from_secs(21));
    assert_eq!(
        (venue.status().mode, venue.status().reason),
        (Mode::Locked, Some(Reason::CacheTooOld))
    );
    venue.scan(scan_id(2), token(2));
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
    venue.scan(scan_id(1), token(1));
    let repeat = venue.answer();
    assert_eq!((repeat.verdict, repeat.repeated), (Verdict::Admit, true));
    assert!(
        repeat.cache_age.is_some_and(|age| age > repeat.limit),
        "no scanner shows that green"
    );
}

#[test]
fn a_cache_that_ages_past_the_limit_during_the_sync_takes_the_decision_back() {
    let mut venue = Venue::cut_off();
    venue.wait(Duration::from_millis(19_600));
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(500));
    venue.sync();
    assert_eq!(
        venue.reply(),
        None,
        "the void row has to be on disk as well"
    );
    venue.sync();
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
    let last = &venue.rows().last().expect("a row").row().entry;
    let JournalEntry::Voided {
        row,
        scan,
        decided_at,
    } = last
    else {
        panic!("{last:?}")
    };
    assert_eq!((*row, *scan), (2, scan_id(1)));
    assert!(decided_at.is_some(), "what is decided anew is later");
    venue.slow_disk = false;
    venue.scan(scan_id(1), token(1));
    assert_eq!(
        venue.answer().verdict,
        Verdict::ResyncRequired,
        "decided afresh, not repeated"
    );
}

#[test]
fn an_id_with_another_token_is_an_error_and_changes_nothing() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    venue.answer();
    venue.scan(scan_id(1), token(2));
    assert_eq!(venue.reply(), Some(Reply::ScanIdReused));
    assert_eq!(venue.decisions().len(), 1);
}

/// Online, and a scan of ticket 10, which the cache does not know, was never answered: nothing was
/// shown for it.
fn unanswered() -> Venue {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(10));
    venue.wait(MS(300));
    assert_eq!(venue.answer().verdict, Verdict::UnknownOffline);
    venue
}

#[test]
fn online_the_next_scan_names_the_one_that_was_never_shown() {
    let mut venue = unanswered();
    venue.acknowledge();
    venue.count_sent(|_| true);
    // The next question is due half a second after the failure, at the earliest.
    for pause in [200, 500, 500] {
        venue.wait(MS(pause));
        venue.answer_question();
    }
    assert_eq!(venue.status().mode, Mode::Online);
    venue.count_sent(|_| true);
    venue.scan(scan_id(2), token(10));
    let sent = venue.sent_scan().expect("asks the core");
    assert_eq!(sent.replaces, [scan_id(1)]);
    venue.verdict(scan_id(2), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.scan(scan_id(3), token(10));
    let sent = venue.sent_scan().expect("asks the core");
    assert_eq!(sent.replaces, [], "one of them was shown");
}

#[test]
fn alone_an_entry_of_a_scan_that_was_never_shown_refuses_nobody() {
    let mut venue = unanswered();
    let entry = |confirmed| {
        TicketState::Used(UsedBy {
            scan: scan_id(1),
            gate: GATE,
            at: CoreTime(5),
            confirmed,
        })
    };
    venue.tickets.push((ticket_id(10), entry(true)));
    venue.scan(scan_id(2), token(10));
    assert!(
        is_used(&venue.answer().verdict, true),
        "it was shown after all"
    );
    venue.tickets.pop();
    venue.tickets.push((ticket_id(10), entry(false)));
    venue.scan(scan_id(3), token(10));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    let decided = venue.decisions().pop().expect("written down");
    assert_eq!(decided.replaces, [scan_id(1)], "so that the core moves it");
}

#[test]
fn alone_it_decides_for_its_own_gates_only() {
    let mut venue = Venue::cut_off();
    venue.scan_at(ANOTHERS_GATE, scan_id(1), token(1));
    let refused = venue.answer().verdict;
    assert!(
        matches!(refused, Verdict::NotValidHere { gate, .. } if gate == ANOTHERS_GATE),
        "{refused:?}"
    );
    venue.scan(scan_id(2), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
}
