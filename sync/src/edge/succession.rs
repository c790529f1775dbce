//! The file that takes a journal's place after a fork (`ADMISSION` 4.1).

use std::collections::BTreeMap;

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, NodeId},
    sync::{JournalEntry, JournalHead, JournalRow, Moment, SealedRow},
};

/// The rows of a new file after a fork: `Opened`, then the rows of the old file with their moments,
/// chained anew. The core may have some of them; per scan id it takes each once.
#[must_use]
pub fn carry_over(
    node: NodeId,
    incarnation: IncarnationId,
    succeeds: JournalHead,
    at: Moment,
    old: &[SealedRow],
) -> Vec<SealedRow> {
    let opened = JournalEntry::Opened {
        node,
        succeeds: Some(succeeds),
    };
    let carried = old
        .iter()
        .map(SealedRow::row)
        .filter(|row| !matches!(row.entry, JournalEntry::Opened { .. }));
    // Row n of the old file becomes the row behind `Opened` and those carried before it.
    let numbers: BTreeMap<u64, u64> = carried.clone().map(|row| row.seq).zip(2..).collect();
    let entries = carried.map(|row| {
        let entry = match &row.entry {
            JournalEntry::Voided { row: voided, scan } => JournalEntry::Voided {
                row: numbers.get(voided).copied().unwrap_or_default(),
                scan: *scan,
            },
            JournalEntry::Opened { .. } | JournalEntry::Decision(_) => row.entry.clone(),
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
