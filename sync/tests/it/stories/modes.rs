//! What brings a node back, locks it, or makes it fetch or begin again: answers, restarts, clocks,
//! acknowledgements, digests (`ADMISSION` 1, 2, 4 and 5).

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    lan::JournalFault,
    sync::{Digest, JournalHead, Nonce, Position, SyncPoint, TicketState},
    time::CoreTime,
    verdict::{Mode, Verdict},
};
use eventify_sync::edge::{
    Alarm, CoreMessage, Input, JournalOutput, Output, Reason, ReplicaOutput,
};

use super::{
    is_used,
    venue::{EPOCH, NODE, VENUE, Venue, scan_id, ticket_id, token},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn three_questions_in_a_row_bring_it_back_and_only_when_its_decisions_are_acknowledged() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.step(Input::Connected);
    venue.welcome();
    for _ in 0..3 {
        assert_ne!(venue.status().mode, Mode::Online);
        venue.answer_question();
        venue.wait(MS(500));
    }
    assert_eq!(venue.status().reason, Some(Reason::CatchingUp));
    assert_eq!(venue.status().mode, Mode::Resyncing);
    venue.acknowledge();
    assert_eq!(
        (venue.status().mode, venue.status().reason),
        (Mode::Online, None)
    );
}

#[test]
fn a_restart_in_the_same_boot_keeps_age_and_admissions_a_reboot_locks() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    venue.answer();
    venue.wait(MS(2_000));
    let before = venue.status().cache_age;
    venue.restart(10);
    assert_eq!(venue.status().cache_age, before);
    venue.scan(scan_id(2), token(1));
    venue.wait(MS(300));
    assert!(
        is_used(&venue.answer().verdict, true),
        "it still knows its admission"
    );
    venue.restart(11);
    assert_eq!(venue.status().reason, Some(Reason::NoProof));
}

#[test]
fn a_node_that_can_write_nothing_down_says_so_at_once_and_when_it_is_over() {
    let mut venue = Venue::online();
    while venue.sent_health().is_some() {}
    for fault in [Some(JournalFault::Held), None] {
        venue.step(Input::Room {
            free_bytes: 7,
            fault,
        });
        venue.wait(MS(1));
        let said = venue.sent_health().map(|said| said.journal_fault);
        assert_eq!(said, Some(fault));
        venue.step(Input::Room {
            free_bytes: 6,
            fault,
        });
        venue.wait(MS(1));
        assert!(venue.sent_health().is_none(), "it is known already");
    }
}

#[test]
fn a_wall_clock_that_jumps_locks_until_the_core_answers() {
    let mut venue = Venue::cut_off();
    venue.set_wall(3);
    venue.step(Input::Room {
        free_bytes: 1,
        fault: None,
    });
    assert_eq!(venue.status().reason, Some(Reason::ClockNotTrusted));
    assert!(
        venue
            .outputs
            .iter()
            .any(|o| matches!(o, Output::Alarm(Alarm::ClockNotTrusted)))
    );
    venue.step(Input::Connected);
    venue.answer_question();
    assert_eq!(
        venue.status().reason,
        Some(Reason::CoreSilent),
        "trusted again"
    );
}

#[test]
fn an_admission_leaves_the_overlay_when_the_replica_has_passed_its_acknowledgement() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.answer();
    venue.acknowledge();
    venue.step(Input::Disconnected);
    venue.scan(scan_id(2), token(1));
    assert!(
        is_used(&venue.answer().verdict, true),
        "acknowledged, but the replica lags"
    );
    // The core has freed the ticket again, and the feed has passed the acknowledgement.
    venue.publish(ticket_id(1), TicketState::Valid);
    venue.scan(scan_id(3), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
}

#[test]
fn a_core_end_outside_of_the_chain_begins_a_new_file_that_carries_everything() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    venue.answer();
    venue.step(Input::Connected);
    let own = venue.rows().last().expect("a row").head();
    let foreign = JournalHead {
        hash: Hash32([5; 32]),
        ..own
    };
    venue.welcome_with(Some(foreign));
    let begun = venue.outputs.iter().any(
        |output| matches!(output, Output::Journal(JournalOutput::BeginFile { succeeds, .. }) if *succeeds == foreign),
    );
    assert!(begun);
    let alarmed = Output::Alarm(Alarm::JournalFork { core: foreign, own });
    let expected = format!("{alarmed:?}");
    assert!(
        venue
            .outputs
            .iter()
            .any(|output| format!("{output:?}") == expected)
    );
    venue.scan(scan_id(2), token(2));
    assert_eq!(
        (venue.reply(), venue.decisions().len()),
        (None, 1),
        "nothing goes to the old file"
    );
}

#[test]
fn a_digest_that_differs_discards_the_replica() {
    let mut venue = Venue::online();
    venue.wait(MS(2_000));
    venue.answer_question_at(50, Digest(Hash32([1; 32])));
    let dropped = venue
        .outputs
        .iter()
        .any(|o| matches!(o, Output::Replica(ReplicaOutput::Discard { .. })));
    assert!(dropped);
    venue.step(Input::Disconnected);
    assert_eq!(venue.status().reason, Some(Reason::NoReplica));
}

#[test]
fn a_point_that_nobody_asked_for_makes_no_cache_younger() {
    let mut venue = Venue::online();
    venue.wait(MS(1_900));
    let before = venue.status().cache_age.expect("known");
    let now = CoreTime(i64::MAX / 4);
    venue.receive(CoreMessage::Point(SyncPoint {
        nonce: Nonce([0; 16]),
        node: NODE,
        venue: VENUE,
        epoch: EPOCH,
        position: Position(50),
        digest: venue.status().digest.expect("held"),
        truth: now,
        core: now,
    }));
    assert_eq!(venue.status().cache_age, Some(before));
}
