//! Texts that are no tickets: anybody can hold them before a scanner, as often as they like.

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    sync::{JournalEntry, SealedRow},
    verdict::{Mode, Verdict},
};
use eventify_sync::{edge::Reply, token::TokenCheck};

use super::venue::{GATE, Venue, scan_id, token};

/// A count waits for its row for so long.
const MINUTE: Duration = Duration::from_secs(60);

fn noise(number: u8) -> TokenCheck {
    TokenCheck::Unreadable {
        hash: Hash32([number; 32]),
    }
}

fn refuse(venue: &mut Venue, scan: u128) -> Mode {
    venue.scan(scan_id(scan), noise(1));
    let answer = venue.answer();
    assert_eq!(
        (answer.verdict, answer.repeated),
        (Verdict::Unreadable, false)
    );
    answer.mode
}

/// The rows about such texts: mode and count.
fn counted(venue: &Venue) -> Vec<(Mode, u64)> {
    let rows = venue.rows().iter().map(SealedRow::row);
    rows.filter_map(|row| match &row.entry {
        JournalEntry::Unreadable {
            gate, mode, times, ..
        } => {
            assert_eq!(*gate, GATE);
            Some((*mode, *times))
        }
        JournalEntry::Opened { .. }
        | JournalEntry::Decision(_)
        | JournalEntry::Voided { .. }
        | JournalEntry::RefusedAgain { .. }
        | JournalEntry::Searched(_)
        | JournalEntry::Overridden(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => None,
    })
    .collect()
}

#[test]
fn a_flood_of_texts_that_are_no_tickets_is_one_row_a_mode() {
    let mut venue = Venue::cut_off();
    let before = venue.rows().len();
    for scan in 0..500 {
        assert_eq!(refuse(&mut venue, scan), Mode::Degraded);
    }
    assert_eq!(venue.rows().len(), before, "none is written for a scan");
    let gate = venue.status().gates.remove(0);
    assert_eq!((gate.refused, gate.unreadable), (500, 500));

    // The cache becomes too old: what was counted belongs to the time before.
    venue.wait(MINUTE / 2);
    assert_eq!(counted(&venue), [(Mode::Degraded, 500)]);
    assert_eq!(refuse(&mut venue, 501), Mode::Locked);
    assert_eq!(refuse(&mut venue, 502), Mode::Locked);
    venue.wait(MINUTE);
    assert_eq!(counted(&venue), [(Mode::Degraded, 500), (Mode::Locked, 2)]);
    venue.wait(3 * MINUTE);
    assert_eq!(counted(&venue).len(), 2, "nothing more was scanned");
}

#[test]
fn a_text_that_is_no_ticket_binds_no_id() {
    let mut venue = Venue::cut_off();
    refuse(&mut venue, 1);
    refuse(&mut venue, 1);
    venue.scan(scan_id(1), token(1));
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    // From then on the id is the ticket's.
    venue.scan(scan_id(1), noise(9));
    assert_eq!(venue.reply(), Some(Reply::ScanIdReused));
}
