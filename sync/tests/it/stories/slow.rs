//! A node on a line that is slower than its timers, or that is interrupted: it makes progress, and
//! asks for nothing twice that is under way (`ADMISSION` 4 to 6).

use std::time::Duration;

use super::snapshots::plan;
use super::venue::{EPOCH, PROMOTED, Venue, digest_at, scan_id, ticket_id, token};
use eventify_protocol::{
    sync::{Delta, Plan, Position, TicketState, Up},
    time::CoreTime,
    verdict::{DecidedBy, Verdict},
};
use eventify_sync::edge::{
    Alarm, CoreMessage, Input, JournalOutput, MAX_UNDECIDED, Output, Reason, Reply,
};

const MS: fn(u64) -> Duration = Duration::from_millis;
const S: fn(u64) -> Duration = Duration::from_secs;

fn is_journal(message: &Up) -> bool {
    matches!(message, Up::Journal(_))
}

fn is_hello(message: &Up) -> bool {
    matches!(message, Up::Hello(_))
}

#[test]
fn a_verdict_of_an_earlier_question_about_the_same_scan_does_not_count() {
    let mut venue = Venue::online();
    venue.tickets.retain(|(ticket, _)| *ticket != ticket_id(1));
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(300));
    assert_eq!(venue.answer().verdict, Verdict::UnknownOffline);
    venue.acknowledge();
    venue.count_sent(|message| matches!(message, Up::Ask(_)));
    venue.wait(MS(200));
    for _ in 0..3 {
        venue.answer_question();
        venue.wait(MS(500));
    }
    assert_eq!(venue.status().reason, None, "online");
    venue.scan(scan_id(1), token(1));
    let questions = venue.questions_about(scan_id(1));
    assert_eq!(questions.len(), 2);
    let at = CoreTime(1);
    venue.answer_scan(questions[0], (EPOCH, at), scan_id(1), Verdict::Admit);
    assert_eq!(venue.reply(), None, "the core has freed the ticket since");
    venue.answer_scan(questions[1], (EPOCH, at), scan_id(1), Verdict::Revoked);
    assert_eq!(venue.answer().verdict, Verdict::Revoked);
}

#[test]
fn a_scan_that_reached_the_core_too_late_is_decided_alone_where_that_is_allowed() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    let deadline = venue.sent_scan().expect("asks").deadline;
    let question = venue.questions_about(scan_id(1))[0];
    venue.answer_scan(question, (EPOCH, deadline), scan_id(1), Verdict::TryAgain);
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.decided_by),
        (Verdict::Admit, DecidedBy::Edge)
    );
}

#[test]
fn an_own_admission_stays_while_the_replica_is_of_another_database() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.answer();
    // The core fails over; it holds the row, and names the position of its own feed that shows it.
    venue.step(Input::Disconnected);
    venue.step(Input::Connected);
    let head = venue
        .rows()
        .last()
        .map(eventify_protocol::sync::SealedRow::head);
    venue.welcome_at(PROMOTED, Position(10), plan(1, 3), head);
    venue.step(Input::Disconnected);
    venue.scan(scan_id(2), token(1));
    let verdict = venue.answer().verdict;
    assert!(
        matches!(verdict, Verdict::AlreadyUsed { .. }),
        "{verdict:?}"
    );
}

#[test]
fn a_scan_does_not_wait_for_a_replica_that_has_failed() {
    let mut venue = Venue::cut_off();
    venue.mute_disk = true;
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.reply(), None, "it is looked up");
    venue.step(Input::ReplicaFailed);
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
    assert_eq!(venue.status().reason, Some(Reason::NoReplica));
}

#[test]
fn a_scan_that_nothing_decides_ends_in_time() {
    let mut venue = Venue::cut_off();
    venue.mute_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.wait(MAX_UNDECIDED);
    assert_eq!(venue.reply(), Some(Reply::Overloaded));
    venue.mute_disk = false;
    venue.scan(scan_id(1), token(1));
    assert_eq!(
        venue.answer().verdict,
        Verdict::Admit,
        "nothing was decided before"
    );
}

#[test]
fn a_file_that_lacks_what_was_applied_is_not_read_for_ever() {
    let mut venue = Venue::cut_off();
    venue.replica_lag = 1;
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
    let alarmed = |output: &Output| matches!(output, Output::Alarm(Alarm::ReplicaDamaged));
    assert!(venue.outputs.iter().any(alarmed));
}

#[test]
fn a_point_ahead_of_the_replica_counts_as_soon_as_that_has_caught_up() {
    let mut venue = Venue::closed();
    venue.step(Input::Connected);
    venue.welcome();
    venue.answer_question_at(52, digest_at(52));
    for (position, proven) in [(51, false), (52, true)] {
        venue.publish(ticket_id(1), TicketState::Valid);
        assert_eq!(venue.status().position, Position(position));
        assert_eq!(venue.status().cache_age.is_some(), proven, "at {position}");
    }
    venue.step(Input::Disconnected);
    assert_eq!(
        venue.status().reason,
        Some(Reason::CoreSilent),
        "not locked"
    );
}

#[test]
fn a_journal_that_nobody_acknowledges_is_sent_less_and_less_often() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    venue.answer();
    venue.step(Input::Connected);
    venue.welcome();
    venue.wait(S(60));
    let sent = venue.count_sent(is_journal);
    assert!((2..=8).contains(&sent), "{sent} times in a minute");
    venue.acknowledge();
    assert_eq!(venue.status().unacknowledged, 0);
}

#[test]
fn a_welcome_slower_than_the_timer_counts_in_the_end() {
    let mut venue = Venue::closed();
    venue.step(Input::Connected);
    let (mut newest, _) = venue.sent_hello().expect("a hello");
    let mut hellos = 1;
    // Each Welcome takes three seconds; only the one to the newest Hello counts.
    for _ in 0..10 {
        venue.wait(MS(2_900));
        let Some((id, _)) = venue.sent_hello() else {
            break;
        };
        (newest, hellos) = (id, hellos + 1);
    }
    let from = Position(50);
    venue.welcome_to(newest, EPOCH, from, Plan::Delta { from }, None);
    venue.wait(S(20));
    assert!((2..5).contains(&hellos), "{hellos}");
    assert!(venue.sent_hello().is_none(), "it counted");
}

#[test]
fn deltas_on_their_way_are_not_asked_for_again() {
    let mut venue = Venue::online();
    venue.step(Input::Disconnected);
    venue.step(Input::Connected);
    venue.count_sent(is_hello);
    let from = Position(50);
    venue.step(Input::Disconnected);
    venue.step(Input::Connected);
    venue.welcome_at(EPOCH, Position(60), Plan::Delta { from }, None);
    venue.count_sent(is_hello);
    // The newest entry overtakes those that were asked for, and they are slow.
    venue.receive(CoreMessage::Delta(Delta {
        epoch: EPOCH,
        from: Position(60),
        to: Position(61),
        entries: vec![super::venue::news(1, TicketState::Valid)],
    }));
    for _ in 0..10 {
        venue.wait(MS(900));
        venue.publish(ticket_id(1), TicketState::Valid);
    }
    assert_eq!(venue.count_sent(is_hello), 0);
    assert_eq!(venue.status().position, Position(60));
}

/// Two guests were admitted alone; rows up to `retired` were removed since, and the process has
/// started again.
fn with_retired_rows(retired: u64) -> Venue {
    let mut venue = Venue::cut_off();
    for number in [1, 2] {
        venue.scan(scan_id(number.into()), token(number));
        venue.answer();
    }
    venue.retired = retired;
    venue.restart(10);
    venue.step(Input::Connected);
    venue
}

fn begins_a_file(output: &Output) -> bool {
    matches!(output, Output::Journal(JournalOutput::BeginFile { .. }))
}

#[test]
fn a_core_that_has_forgotten_rows_which_are_retired_begins_a_new_file() {
    let mut venue = with_retired_rows(2);
    venue.welcome_with(None);
    assert!(venue.outputs.iter().any(begins_a_file));
}

#[test]
fn a_core_that_ends_at_a_retired_row_begins_a_new_file() {
    for (retired, begins) in [(0, false), (1, true)] {
        let mut venue = with_retired_rows(retired);
        let end = venue.rows()[0].head();
        venue.welcome_with(Some(end));
        assert_eq!(venue.outputs.iter().any(begins_a_file), begins, "{retired}");
    }
}
