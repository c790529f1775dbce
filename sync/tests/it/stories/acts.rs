//! What people do at a gate beside scanning (`ADMISSION` 3.13 to 3.16).

use std::time::Duration;

use eventify_protocol::{
    sync::{
        AdmissionWindow, JournalEntry, PerformanceEntry, PolicyEntry, Reentry, Subject,
        TicketState, Up, UsedBy, Value,
    },
    time::CoreTime,
    verdict::{DecidedBy, FirstEntry, Mode, Verdict},
};
use eventify_sync::edge::{ActKind, ActRefusal, Input, Reply};

use super::{
    is_used,
    venue::{EPOCH, GATE, TONIGHT, Venue, digest_at, scan_id, ticket_id, token, tonight},
};

const S: fn(u64) -> Duration = Duration::from_secs;

fn used(scan: u128) -> TicketState {
    TicketState::Used(UsedBy {
        scan: scan_id(scan),
        gate: GATE,
        at: CoreTime(5),
        confirmed: true,
    })
}

/// Ticket 1 was used by somebody at another gate, and this node has refused it by scan 1.
fn refused(mut venue: Venue) -> Venue {
    venue.publish(ticket_id(1), used(99));
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    assert!(is_used(&venue.answer().verdict, true));
    venue
}

fn override_of(venue: &Venue, scan: u128) -> ActKind {
    ActKind::Override(venue.act_scan(scan_id(scan), 1))
}

fn undo_of(venue: &Venue, scan: u128) -> ActKind {
    ActKind::Undo(venue.act_scan(scan_id(scan), 1))
}

/// The core answers each question at once.
fn stay_online(venue: &mut Venue, duration: Duration) {
    for _ in 0..duration.as_millis() / 100 {
        venue.wait(Duration::from_millis(100));
        let asked = venue.sent(|_, message| {
            let Up::Ask(ask) = message else {
                return None;
            };
            Some(ask)
        });
        if let Some(ask) = asked {
            let position = venue.status().position.0;
            venue.answer_ask(&ask, (EPOCH, position, digest_at(position)));
        }
    }
}

#[test]
fn a_supervisor_lets_in_whom_a_scan_has_refused_and_only_once() {
    let mut venue = refused(Venue::online());
    let kind = override_of(&venue, 1);
    let done = venue.act(1, kind).expect("let in");
    assert_eq!((done.mode, done.repeated), (Mode::Degraded, false));
    assert!(matches!(
        venue.rows().last().map(|row| &row.row().entry),
        Some(JournalEntry::Overridden(row)) if row.scan == scan_id(1)
    ));
    let kind = override_of(&venue, 1);
    assert_eq!(venue.act(2, kind), Err(ActRefusal::AlreadyDone));
    venue.restart(10);
    venue.step(Input::Disconnected);
    venue.scan(scan_id(2), token(1));
    assert!(
        is_used(&venue.answer().verdict, true),
        "it is no free ticket"
    );
}

/// A lost answer: the scanner sends the act again, and nobody else is let in by it.
#[test]
fn the_same_act_again_is_answered_the_same_and_another_one_with_its_id_is_refused() {
    let mut venue = refused(Venue::online());
    let kind = override_of(&venue, 1);
    let rows = venue.rows().len();
    let first = venue.act(1, kind.clone()).expect("let in");
    let again = venue.act(1, kind.clone()).expect("was let in");
    assert_eq!((first.act, again.repeated), (again.act, true));
    assert_eq!(venue.rows().len(), rows + 1);
    venue.restart(10);
    assert!(venue.act(1, kind).expect("was let in").repeated);
    let other = ActKind::ChangeGate { from: None };
    assert_eq!(venue.act(1, other), Err(ActRefusal::IdReused));
}

#[test]
fn an_act_is_on_the_disk_before_it_is_answered() {
    let mut venue = refused(Venue::online());
    venue.slow_disk = true;
    let kind = override_of(&venue, 1);
    venue.begin_act(1, kind);
    assert_eq!(venue.reply(), None);
    venue.sync();
    assert!(venue.reply().is_some());
}

#[test]
fn nothing_is_done_where_nobody_decides() {
    let mut venue = refused(Venue::online());
    venue.wait(S(21));
    assert_eq!(venue.status().mode, Mode::Locked);
    for kind in [
        override_of(&venue, 1),
        undo_of(&venue, 1),
        ActKind::Exit(venue.act_ticket(1)),
        ActKind::ChangeGate { from: None },
    ] {
        assert_eq!(venue.act(1, kind), Err(ActRefusal::Locked));
    }
}

/// 3.5: the supervisor's word is no better than the cache it stands on.
#[test]
fn a_cache_that_ages_past_the_limit_while_the_disk_syncs_takes_the_override_back() {
    let mut venue = refused(Venue::online());
    venue.slow_disk = true;
    let kind = override_of(&venue, 1);
    venue.begin_act(1, kind.clone());
    venue.wait(S(21));
    venue.sync();
    let reply = venue.reply();
    assert!(
        matches!(
            reply,
            Some(eventify_sync::edge::Reply::ActRefused(ActRefusal::Locked))
        ),
        "{reply:?}"
    );
    assert!(matches!(
        venue.rows().last().map(|row| &row.row().entry),
        Some(JournalEntry::Voided { scan, .. }) if *scan == scan_id(1)
    ));
}

#[test]
fn a_refusal_of_five_minutes_ago_or_of_a_ticket_that_is_no_longer_good_is_not_overridden() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    let first = FirstEntry {
        gate: GATE,
        at: CoreTime(5),
        confirmed: true,
    };
    venue.verdict(scan_id(1), Verdict::AlreadyUsed { first });
    venue.answer();
    for state in [TicketState::Revoked, TicketState::Suspended] {
        venue.publish(ticket_id(1), state);
        let kind = override_of(&venue, 1);
        assert_eq!(venue.act(1, kind), Err(ActRefusal::Changed), "{state:?}");
    }
    venue.publish(ticket_id(1), used(99));
    stay_online(&mut venue, S(301));
    let kind = override_of(&venue, 1);
    assert_eq!(venue.act(1, kind), Err(ActRefusal::TooLate));
}

#[test]
fn only_refusals_as_used_or_too_early_are_overridden() {
    let mut venue = Venue::online();
    venue.publish(ticket_id(1), TicketState::Revoked);
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Revoked);
    let kind = override_of(&venue, 1);
    assert_eq!(venue.act(1, kind), Err(ActRefusal::NotOverridable));
    let kind = override_of(&venue, 7);
    assert_eq!(venue.act(2, kind), Err(ActRefusal::UnknownScan));
}

/// Artists, children, wheelchairs: before the doors, and then the ticket is used.
#[test]
fn whoever_is_let_in_before_the_doors_has_used_the_ticket() {
    let mut venue = Venue::online();
    let from = 3_000_000_000;
    let early = PerformanceEntry {
        admits: AdmissionWindow {
            from,
            until: from + 9,
        },
        ..tonight()
    };
    venue.state(Subject::Performance(TONIGHT), Value::Performance(early));
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    let too_early = Verdict::NotYet { not_before: from };
    assert_eq!(venue.answer().verdict, too_early);
    let kind = override_of(&venue, 1);
    venue.act(1, kind).expect("let in");
    venue.scan(scan_id(2), token(1));
    assert!(is_used(&venue.answer().verdict, true));
}

/// Rule 2: what the node did itself, the core has to have.
#[test]
fn a_gate_is_not_online_before_the_core_has_its_override() {
    let mut venue = Venue::online();
    venue.publish(ticket_id(1), used(99));
    venue.scan(scan_id(1), token(1));
    let first = FirstEntry {
        gate: GATE,
        at: CoreTime(5),
        confirmed: true,
    };
    venue.verdict(scan_id(1), Verdict::AlreadyUsed { first });
    venue.answer();
    venue.acknowledge();
    assert_eq!(venue.status().mode, Mode::Online);
    let kind = override_of(&venue, 1);
    venue.act(1, kind).expect("let in");
    assert_ne!(venue.status().mode, Mode::Online);
    venue.acknowledge();
    assert_eq!(venue.status().mode, Mode::Online);
}

#[test]
fn whom_a_supervisor_sends_back_can_come_again() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    let kind = undo_of(&venue, 1);
    venue.act(1, kind.clone()).expect("undone");
    assert_eq!(venue.act(2, kind), Err(ActRefusal::AlreadyDone));
    venue.scan(scan_id(1), token(1));
    assert_eq!(
        venue.reply(),
        Some(Reply::ScanIdReused),
        "that scan lets in nobody any more"
    );
    venue.scan(scan_id(2), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
}

/// What was decided before a restart stands in the journal alone: the shell may read it there before what
/// was done about it since is written.
#[test]
fn what_is_done_about_a_scan_of_before_a_restart_counts_before_it_is_written() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.restart(10);
    venue.step(Input::Disconnected);
    venue.slow_disk = true;
    let kind = undo_of(&venue, 1);
    venue.begin_act(1, kind.clone());
    venue.scan_again(scan_id(1), 1);
    assert_eq!(venue.reply(), Some(Reply::ScanIdReused));
    assert_eq!(venue.act(2, kind), Err(ActRefusal::AlreadyDone));

    let mut venue = refused(Venue::online());
    venue.restart(10);
    venue.step(Input::Disconnected);
    venue.slow_disk = true;
    let kind = override_of(&venue, 1);
    venue.begin_act(1, kind.clone());
    assert_eq!(venue.act(2, kind), Err(ActRefusal::AlreadyDone));
}

#[test]
fn only_the_newest_admission_of_a_scanner_is_undone_and_within_a_minute() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    venue.answer();
    venue.scan(scan_id(2), token(2));
    venue.answer();
    let kind = undo_of(&venue, 1);
    assert_eq!(venue.act(1, kind), Err(ActRefusal::NotNewest));
    let mut slow = Venue::online();
    slow.scan(scan_id(1), token(1));
    slow.verdict(scan_id(1), Verdict::Admit);
    slow.answer();
    slow.acknowledge();
    stay_online(&mut slow, S(61));
    let kind = undo_of(&slow, 1);
    assert_eq!(slow.act(1, kind), Err(ActRefusal::TooLate));
}

/// The guest beside whom a supervisor let another one in is still inside.
#[test]
fn undoing_an_override_takes_back_that_guest_alone() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.scan(scan_id(2), token(1));
    assert!(is_used(&venue.answer().verdict, true));
    let kind = override_of(&venue, 2);
    venue.act(1, kind).expect("let in");
    let mut kind = venue.act_scan(scan_id(2), 1);
    kind.previous = kind.previous.map(|mut previous| {
        previous.overridden = Some(previous.at);
        previous
    });
    venue.act(2, ActKind::Undo(kind)).expect("undone");
    venue.scan(scan_id(3), token(1));
    assert!(
        is_used(&venue.answer().verdict, true),
        "the first is inside"
    );
}

/// The core would refuse the guest by an entry that is over, for good.
#[test]
fn a_scan_of_a_ticket_that_was_freed_waits_for_the_core_to_know_it() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.answer();
    venue.acknowledge();
    let kind = undo_of(&venue, 1);
    venue.act(1, kind).expect("undone");
    assert_eq!(venue.status().mode, Mode::Online, "an undo holds nobody up");
    let asked = venue.questions_about(scan_id(2)).len();
    venue.scan(scan_id(2), token(1));
    assert_eq!(venue.questions_about(scan_id(2)).len(), asked, "not asked");
    assert_eq!(venue.reply(), None);
    venue.acknowledge();
    assert_eq!(venue.questions_about(scan_id(2)).len(), 1);
    venue.verdict(scan_id(2), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
}

#[test]
fn a_core_that_does_not_acknowledge_costs_that_scan_its_budget_and_it_is_to_be_tried_again() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.answer();
    venue.acknowledge();
    let kind = undo_of(&venue, 1);
    venue.act(1, kind).expect("undone");
    venue.scan(scan_id(2), token(1));
    venue.wait(Duration::from_millis(300));
    assert_eq!(venue.answer().verdict, Verdict::TryAgain);
}

/// A question that was under way when the supervisor pressed the key.
#[test]
fn a_refusal_by_an_entry_that_was_undone_meanwhile_does_not_count() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.answer();
    venue.acknowledge();
    venue.scan(scan_id(2), token(1));
    let kind = undo_of(&venue, 1);
    venue.act(1, kind).expect("undone");
    let first = FirstEntry {
        gate: GATE,
        at: CoreTime(5),
        confirmed: true,
    };
    venue.verdict(scan_id(2), Verdict::AlreadyUsed { first });
    assert_eq!(venue.reply(), None, "it is asked again");
    venue.acknowledge();
    venue.verdict(scan_id(2), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
}

#[test]
fn a_guest_who_was_scanned_on_the_way_out_is_let_in_again() {
    let mut venue = Venue::online();
    venue.publish(ticket_id(1), used(99));
    let kind = ActKind::Exit(venue.act_ticket(1));
    let left = venue.act(1, kind).expect("left");
    assert_eq!(left.mode, Mode::Online);
    venue.acknowledge();
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.decided_by),
        (Verdict::Admit, DecidedBy::Edge)
    );
}

#[test]
fn nobody_leaves_without_the_core_nor_where_out_is_out_nor_who_is_not_inside() {
    let mut venue = Venue::online();
    let kind = ActKind::Exit(venue.act_ticket(1));
    assert_eq!(venue.act(1, kind), Err(ActRefusal::NotInside));
    venue.publish(ticket_id(1), used(99));
    let out = PerformanceEntry {
        reentry: Some(Reentry::None),
        ..tonight()
    };
    venue.state(Subject::Performance(TONIGHT), Value::Performance(out));
    let kind = ActKind::Exit(venue.act_ticket(1));
    assert_eq!(venue.act(2, kind), Err(ActRefusal::NoReentry));
    venue.step(Input::Disconnected);
    let kind = ActKind::Exit(venue.act_ticket(1));
    assert_eq!(venue.act(3, kind), Err(ActRefusal::CoreNeeded));
}

/// C08: the show broke off, and is played again another day.
#[test]
fn whoever_was_inside_when_the_show_broke_off_is_let_in_at_its_new_date() {
    let mut venue = Venue::online();
    venue.publish(ticket_id(1), used(99));
    let again = PerformanceEntry {
        restarts_at: Some(1),
        ..tonight()
    };
    venue.state(Subject::Performance(TONIGHT), Value::Performance(again));
    venue.step(Input::Disconnected);
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.scan(scan_id(2), token(1));
    assert!(is_used(&venue.answer().verdict, true), "once");
}

#[test]
fn a_person_does_as_many_acts_an_hour_as_the_venue_allows_also_after_a_restart() {
    let mut venue = Venue::online();
    let policy = PolicyEntry {
        max_cache_age_ms: 300_000,
        acts_per_hour: Some(2),
        ..PolicyEntry::default()
    };
    venue.state(Subject::Policy, Value::Policy(policy.clone()));
    let change = ActKind::ChangeGate { from: None };
    let first = venue.act(1, change.clone()).expect("done");
    assert_eq!(first.left_this_hour, 1);
    venue.act(2, change.clone()).expect("done");
    venue.restart(10);
    venue.step(Input::Connected);
    venue.welcome();
    venue.answer_question();
    venue.state(Subject::Policy, Value::Policy(policy));
    let refused = venue.act(3, change).expect_err("too many");
    assert!(
        matches!(refused, ActRefusal::TooMany(wait) if wait > S(3_590)),
        "{refused:?}"
    );
    venue.publish(ticket_id(1), used(99));
    let exit = ActKind::Exit(venue.act_ticket(1));
    venue.act(4, exit).expect("a guest leaves whoever is tired");
}
