//! A journal that lacks rows: nobody goes on with less in silence (`ADMISSION` 4.5).

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    sync::{JournalEntry, JournalHead, SealedRow, TicketState, UsedBy},
    time::CoreTime,
    verdict::{Mode, Verdict},
};
use eventify_sync::edge::{Input, JournalOutput, Output, Reason, Stop};

use super::{
    is_used,
    venue::{GATE, Venue, scan_id, ticket_id, token},
};

fn stops(venue: &Venue) -> Option<Stop> {
    venue.outputs.iter().find_map(|output| {
        if let Output::Stop(stop) = output {
            Some(*stop)
        } else {
            None
        }
    })
}

/// C41: the core's end was taken for a fork, and the node went on with what it had.
#[test]
fn a_disk_that_lacks_what_the_core_holds_stops_the_node_at_its_start() {
    let mut venue = Venue::online();
    venue.restart(10);
    venue.step(Input::Connected);
    let own = venue.rows().last().map(SealedRow::head).expect("a row");
    let core = JournalHead {
        seq: 752,
        hash: Hash32([7; 32]),
        ..own
    };
    venue.welcome_with(Some(core));
    assert_eq!(stops(&venue), Some(Stop::JournalBehind { core, own }));
    let begins =
        |output: &Output| matches!(output, Output::Journal(JournalOutput::BeginFile { .. }));
    assert!(!venue.outputs.iter().any(begins), "no new file by itself");
}

/// C41: two guests who were let in alone were let in again.
#[test]
fn after_a_loss_the_gate_stays_closed_until_the_core_has_said_whom_it_let_in() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.answer();
    venue.restart_after_loss(1);
    assert_eq!(venue.status().reason, Some(Reason::RowsLost));
    venue.step(Input::Connected);
    venue.answer_question();
    venue.step(Input::Disconnected);
    venue.scan(scan_id(2), token(1));
    assert_eq!(
        venue.answer().verdict,
        Verdict::ResyncRequired,
        "young, but not whole"
    );
    venue.count_sent(|_| true);
    venue.step(Input::Connected);
    venue.welcome_with(None);
    for _ in 0..3 {
        venue.answer_question();
        venue.wait(Duration::from_millis(500));
    }
    venue.acknowledge();
    assert_eq!(venue.status().mode, Mode::Online);
    venue.step(Input::Disconnected);
    assert_eq!(
        venue.status().reason,
        Some(Reason::RowsLost),
        "acknowledged at a position that the replica has yet to reach"
    );
    venue.publish(
        ticket_id(1),
        TicketState::Used(UsedBy {
            scan: scan_id(1),
            gate: GATE,
            at: CoreTime(5),
            confirmed: true,
        }),
    );
    venue.scan(scan_id(3), token(1));
    assert!(is_used(&venue.answer().verdict, true));
}

/// C41: what was left of the old file is in the new one, which names the old one's end.
#[test]
fn the_file_after_a_loss_says_so_and_carries_what_is_left() {
    let mut venue = Venue::cut_off();
    for number in 1..4 {
        venue.scan(scan_id(number), token(u8::try_from(number).expect("few")));
        assert_eq!(venue.answer().verdict, Verdict::Admit);
    }
    let known = venue.rows().last().map(SealedRow::head);
    venue.restart_after_loss(3);
    let JournalEntry::Opened {
        succeeds,
        after_loss,
        ..
    } = venue.rows()[0].row().entry
    else {
        panic!("the first row")
    };
    assert_eq!((succeeds, after_loss), (known, known));
    assert_eq!(venue.decisions().len(), 2);
    venue.scan(scan_id(9), token(2));
    venue.wait(Duration::from_secs(1));
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
}
