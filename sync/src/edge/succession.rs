//! The file that takes a journal's place after a fork, or after a loss (`ADMISSION` 4.1 and 4.5).

use std::collections::BTreeMap;

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, NodeId},
    sync::{JournalEntry, JournalHead, JournalRow, Moment, SealedRow},
};

/// The rows of a new file after a fork: `Opened`, then the rows of the old file with their moments,
/// in a new chain. The core may have some of them already; it takes each scan id once.
#[must_use]
pub fn carry_over(
    node: NodeId,
    incarnation: IncarnationId,
    succeeds: JournalHead,
    at: Moment,
    old: &[SealedRow],
) -> Vec<SealedRow> {
    let mut lost = old.iter().map(|row| match &row.row().entry {
        JournalEntry::Opened { after_loss, .. } => *after_loss,
        JournalEntry::Decision(_)
        | JournalEntry::Voided { .. }
        | JournalEntry::RefusedAgain { .. }
        | JournalEntry::Unreadable { .. }
        | JournalEntry::Searched(_)
        | JournalEntry::Overridden(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => None,
    });
    // The core may not know yet that the old file began after a loss.
    let opened = JournalEntry::Opened {
        node,
        succeeds: Some(succeeds),
        after_loss: lost.next().flatten(),
    };
    seal(incarnation, (at, opened), old)
}

/// The rows of a file that goes on without rows that are lost: `known` is the last that anybody knew
/// of, `left` what can still be read.
#[must_use]
pub fn begin_after_loss(
    node: NodeId,
    incarnation: IncarnationId,
    known: JournalHead,
    at: Moment,
    left: &[SealedRow],
) -> Vec<SealedRow> {
    let opened = JournalEntry::Opened {
        node,
        succeeds: Some(known),
        after_loss: Some(known),
    };
    seal(incarnation, (at, opened), left)
}

/// One chain of `Opened` and the rows of another file.
fn seal(
    incarnation: IncarnationId,
    (at, opened): (Moment, JournalEntry),
    old: &[SealedRow],
) -> Vec<SealedRow> {
    let carried = old
        .iter()
        .map(SealedRow::row)
        .filter(|row| !matches!(row.entry, JournalEntry::Opened { .. }));
    // The number of each carried row in the new file; 1 is `Opened`.
    let numbers: BTreeMap<u64, u64> = carried.clone().map(|row| row.seq).zip(2..).collect();
    let entries = carried.map(|row| {
        let entry = match &row.entry {
            JournalEntry::Voided {
                row: voided,
                scan,
                decided_at,
            } => JournalEntry::Voided {
                decided_at: *decided_at,
                row: numbers.get(voided).copied().unwrap_or_default(),
                scan: *scan,
            },
            JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => row.entry.clone(),
        };
        (row.at, entry)
    });
    let mut rows: Vec<SealedRow> = Vec::with_capacity(old.len() + 1);
    for (seq, (at, entry)) in (1..).zip(std::iter::once((at, opened)).chain(entries)) {
        let previous = rows.last().map_or(Hash32::ZERO, SealedRow::hash);
        rows.push(SealedRow::seal(JournalRow {
            incarnation,
            seq,
            previous,
            at,
            entry,
        }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use eventify_protocol::{
        hash::Hash32,
        ids::{BootId, GateId, IncarnationId, NodeId, ScanId, ScannerId},
        sync::Decision,
        time::{BootTime, WallTime},
        verdict::{DecidedBy, Mode, Verdict},
    };
    use uuid::Uuid;

    use super::*;

    const NODE: NodeId = NodeId(Uuid::from_u128(1));

    fn moment(nanos: u64) -> Moment {
        Moment {
            boot: BootId(Uuid::from_u128(2)),
            boottime: BootTime(nanos),
            wall: WallTime(0),
            core: None,
        }
    }

    fn admits(scan: u128) -> JournalEntry {
        JournalEntry::Decision(Decision {
            scan: ScanId(Uuid::from_u128(scan)),
            scanner: ScannerId(Uuid::from_u128(3)),
            gate: GateId(Uuid::from_u128(4)),
            token: Hash32([5; 32]),
            ticket: None,
            performance: None,
            verdict: Verdict::Admit,
            mode: Mode::Degraded,
            decided_by: DecidedBy::Edge,
            cache_age_ms: None,
            point: None,
            replaces: vec![],
            asked_until: None,
            person: None,
        })
    }

    fn old(first: u64, entries: Vec<JournalEntry>) -> Vec<SealedRow> {
        let incarnation = IncarnationId(Uuid::from_u128(6));
        let seal = |(seq, entry)| {
            SealedRow::seal(JournalRow {
                incarnation,
                seq,
                previous: Hash32::ZERO,
                at: moment(seq),
                entry,
            })
        };
        (first..).zip(entries).map(seal).collect()
    }

    #[test]
    fn everything_that_the_old_file_still_has_is_in_the_new_one() {
        // Rows 1 to 4 were removed after their time.
        let void = |row, scan| JournalEntry::Voided {
            row,
            scan: ScanId(Uuid::from_u128(scan)),
            decided_at: None,
        };
        let old = old(5, vec![admits(10), admits(11), void(6, 11), void(4, 9)]);
        let core = JournalHead {
            seq: 3,
            ..old[0].head()
        };
        let incarnation = IncarnationId(Uuid::from_u128(7));
        let new = carry_over(NODE, incarnation, core, moment(99), &old);
        let entries: Vec<_> = new.iter().map(|row| row.row().entry.clone()).collect();
        let opened = JournalEntry::Opened {
            node: NODE,
            succeeds: Some(core),
            after_loss: None,
        };
        // A voided row that is gone has no number.
        let carried = [opened, admits(10), admits(11), void(3, 11), void(0, 9)];
        assert_eq!(entries, carried);
        let times: Vec<_> = new.iter().map(|row| row.row().at.boottime.0).collect();
        assert_eq!(times, [99, 5, 6, 7, 8], "each with its own moment");
        for pair in new.windows(2) {
            assert!(pair[0].head().is_followed_by(pair[1].row()));
        }
        assert_eq!(new[0].row().previous, Hash32::ZERO);
    }

    #[test]
    fn a_file_is_opened_once() {
        let opened = JournalEntry::Opened {
            node: NODE,
            succeeds: None,
            after_loss: None,
        };
        let old = old(1, vec![opened, admits(10)]);
        let head = old[1].head();
        let new = carry_over(NODE, head.incarnation, head, moment(99), &old);
        assert_eq!(new.len(), 2);
    }
}
