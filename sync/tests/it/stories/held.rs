//! Another program holds the journal: who waits is told so, and nothing is decided behind their backs
//! (`ADMISSION` 3.5).

use std::time::Duration;

use eventify_protocol::{
    lan::JournalFault,
    sync::{JournalEntry, TicketState, UsedBy},
    verdict::Verdict,
};
use eventify_sync::edge::{ActKind, Input, Reply};

use super::venue::{GATE, Venue, scan_id, ticket_id, token};

const MS: fn(u64) -> Duration = Duration::from_millis;

impl Venue {
    fn hold_journal(&mut self) {
        self.slow_disk = true;
        self.room(Some(JournalFault::Held));
    }

    fn free_journal(&mut self) {
        self.room(None);
        self.slow_disk = false;
        self.sync();
    }

    fn room(&mut self, fault: Option<JournalFault>) {
        let free_bytes = 1 << 30;
        self.step(Input::Room { free_bytes, fault });
    }

    /// Rows that were taken back, and whose.
    fn taken_back(&self) -> Vec<(u64, u128)> {
        let taken_back = self.rows().iter().filter_map(|row| match &row.row().entry {
            JournalEntry::Voided { row, scan, .. } => {
                let number = scan.as_uuid().as_u128() - scan_id(0).as_uuid().as_u128();
                Some((*row, number))
            }
            JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => None,
        });
        taken_back.collect()
    }
}

#[test]
fn a_scan_that_waits_for_a_held_journal_gets_no_verdict_and_uses_no_ticket() {
    let mut venue = Venue::cut_off();
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(300));
    assert_eq!(venue.reply(), None, "it waits for its row");
    venue.hold_journal();
    assert_eq!(venue.answer().verdict, Verdict::NodeFault, "at once");
    assert_eq!(
        venue.taken_back(),
        [(2, 1)],
        "its row is on its way already"
    );
    venue.scan(scan_id(1), token(1));
    venue.scan(scan_id(2), token(2));
    for _ in 0..2 {
        assert_eq!(venue.answer().verdict, Verdict::NodeFault);
    }
    assert_eq!(venue.rows().len(), 3, "nothing more is to be written");

    venue.free_journal();
    assert_eq!(venue.reply(), None, "each was answered");
    // The guest has gone to another gate: the ticket is nobody's.
    venue.scan(scan_id(3), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.scan_again(scan_id(1), 1);
    let verdict = venue.answer().verdict;
    let first = matches!(verdict, Verdict::AlreadyUsed { .. });
    assert!(first, "it is decided anew: {verdict:?}");
}

#[test]
fn a_refusal_that_waits_is_decided_anew_as_well() {
    let mut venue = Venue::cut_off();
    venue.publish(ticket_id(1), TicketState::Revoked);
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(300));
    venue.hold_journal();
    assert_eq!(venue.answer().verdict, Verdict::NodeFault);
    venue.free_journal();
    venue.scan_again(scan_id(1), 1);
    let answer = venue.answer();
    assert_eq!((answer.verdict, answer.repeated), (Verdict::Revoked, false));
}

/// The core has let the guest in, by an entry that nobody was shown.
#[test]
fn what_the_core_decides_while_the_journal_is_held_is_replaced_by_the_next_scan() {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.hold_journal();
    assert_eq!(venue.reply(), None, "the core is asked");
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::NodeFault);
    assert_eq!(venue.taken_back(), [], "no row was written");
    while venue.sent_scan().is_some() {}
    venue.free_journal();
    venue.scan(scan_id(2), token(1));
    let asked = venue.sent_scan().expect("online");
    assert_eq!(asked.replaces, [scan_id(1)]);
}

#[test]
fn what_the_core_had_decided_when_the_journal_was_held_is_taken_back() {
    let mut venue = Venue::online();
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.reply(), None, "it waits for its row");
    venue.hold_journal();
    assert_eq!(venue.answer().verdict, Verdict::NodeFault);
    assert_eq!(venue.taken_back(), [(2, 1)]);
    venue.hold_journal();
    assert_eq!(venue.taken_back(), [(2, 1)], "once");
}

/// A decision that was taken back because the cache is too old, and whose row waits then.
#[test]
fn what_is_taken_back_already_is_taken_back_once() {
    let mut venue = Venue::cut_off();
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.wait(Duration::from_secs(21));
    venue.sync();
    assert_eq!(venue.taken_back(), [(2, 1)]);
    assert_eq!(venue.reply(), None);
    venue.hold_journal();
    assert_eq!(venue.answer().verdict, Verdict::NodeFault);
    assert_eq!(venue.taken_back(), [(2, 1)]);
}

/// A supervisor who was told to ask again has let in nobody.
#[test]
fn an_override_that_waits_is_taken_back_and_may_be_done_again() {
    let mut venue = Venue::cut_off();
    for scan in [1, 2] {
        venue.scan(scan_id(scan), token(1));
        venue.wait(MS(300));
        venue.answer();
    }
    venue.slow_disk = true;
    let about = venue.act_scan(scan_id(2), 1);
    venue.begin_act(1, ActKind::Override(about.clone()));
    assert_eq!(venue.reply(), None, "it waits for its row");
    venue.hold_journal();
    assert_eq!(venue.reply(), Some(Reply::Overloaded));
    assert_eq!(venue.taken_back(), [(4, 2)]);
    venue.begin_act(2, ActKind::Override(about.clone()));
    assert_eq!(venue.reply(), Some(Reply::Overloaded), "at once");
    venue.free_journal();
    assert_eq!(venue.reply(), None, "each was answered");
    venue.act(3, ActKind::Override(about)).expect("done");
}

/// It frees a ticket and lets in nobody: asked again, it is done.
#[test]
fn an_undo_that_waits_is_done_and_says_so_when_it_is_asked_again() {
    let mut venue = Venue::cut_off();
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(300));
    venue.answer();
    venue.slow_disk = true;
    let about = venue.act_scan(scan_id(1), 1);
    venue.begin_act(1, ActKind::Undo(about.clone()));
    venue.hold_journal();
    assert_eq!(venue.reply(), Some(Reply::Overloaded));
    venue.begin_act(1, ActKind::Undo(about.clone()));
    assert_eq!(venue.reply(), Some(Reply::Overloaded), "nobody waits");
    assert_eq!(venue.taken_back(), []);
    venue.room(None);
    venue.begin_act(1, ActKind::Undo(about));
    assert_eq!(venue.reply(), None, "not before its row is on disk");
    venue.free_journal();
    assert!(matches!(venue.reply(), Some(Reply::Act(_))));
    assert_eq!(venue.reply(), None, "once");
}

/// The core has let the guest in and says so in the feed; then the line is cut.
#[test]
fn a_gate_alone_lets_in_whom_the_core_had_let_in_unseen() {
    let mut venue = Venue::online();
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    venue.hold_journal();
    assert_eq!(venue.answer().verdict, Verdict::NodeFault);
    let unseen = UsedBy {
        scan: scan_id(1),
        gate: GATE,
        at: venue.core_time(),
        confirmed: false,
    };
    venue.publish(ticket_id(1), TicketState::Used(unseen));
    venue.step(Input::Disconnected);
    venue.free_journal();
    venue.scan(scan_id(2), token(1));
    venue.wait(MS(300));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    let replaced = venue.decisions().pop().map(|decision| decision.replaces);
    assert_eq!(replaced, Some(vec![scan_id(1)]));
}
