//! The reconciliation: what each outage came to. An outage is a span in which a node decided by
//! itself, or could not.

use std::ops::Range;

use eventify_protocol::ids::{IncarnationId, NodeId, ScanId};
use eventify_protocol::sync::{JournalEntry, Moment, SealedRow};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::{Mode, Verdict};
use eventify_sync::core::ConflictKind;
use eventify_sync::core::report::Report;

/// One outage of one node, with its rows.
#[derive(Debug)]
pub(crate) struct Outage<'r> {
    pub(crate) node: NodeId,
    pub(crate) rows: &'r [SealedRow],
    /// The first decision made in another mode than `Online`.
    pub(crate) began: Moment,
    /// None while it lasts, as far as anybody has told.
    pub(crate) ended: Option<End>,
}

/// What tells that a node is `Online` again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A decision in that mode.
    Decision(Moment),
    /// The node's word, which the core heard then.
    Word(CoreTime),
}

/// Which rows an outage has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) incarnation: IncarnationId,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

fn mode(row: &SealedRow) -> Option<Mode> {
    match &row.row().entry {
        JournalEntry::Decision(decision) => Some(decision.mode),
        JournalEntry::Opened { .. } | JournalEntry::Voided { .. } => None,
    }
}

/// The latest core time that is surely not after the row; the wall clock's where nothing is proven.
fn not_before(row: &SealedRow) -> CoreTime {
    let at = row.row().at;
    at.core.map_or(CoreTime(at.wall.0), |core| core.earliest)
}

/// Cuts a node's rows, in their order, into outages. What lies between is not part of any. `online`
/// are the moments, in their order, at which the core heard that the node is `Online`.
pub(crate) fn outages<'r>(
    node: NodeId,
    rows: &'r [SealedRow],
    online: &[CoreTime],
) -> Vec<Outage<'r>> {
    let mut outages = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let close = |range: Range<usize>, ended| Outage {
        node,
        began: rows[range.start].row().at,
        rows: &rows[range],
        ended,
    };
    // Online again after this row, and before the next one if there is one.
    let word_after = |row: &SealedRow, next: Option<&SealedRow>| {
        let heard = online.iter().find(|heard| **heard > not_before(row));
        heard
            .filter(|heard| next.is_none_or(|next| **heard <= not_before(next)))
            .map(|heard| End::Word(*heard))
    };
    for (index, row) in rows.iter().enumerate() {
        let Some(mode) = mode(row) else { continue };
        if let Some(range) = open.take() {
            let word = word_after(&rows[index - 1], Some(row));
            match (word, mode) {
                (Some(word), _) => outages.push(close(range.start..index, Some(word))),
                (None, Mode::Online) => {
                    let decision = End::Decision(row.row().at);
                    outages.push(close(range.start..index, Some(decision)));
                }
                (None, Mode::Degraded | Mode::Locked | Mode::Resyncing) => open = Some(range),
            }
        }
        if open.is_none() && mode != Mode::Online {
            open = Some(index..rows.len());
        }
    }
    if let Some(range) = open {
        let ended = rows.last().and_then(|last| word_after(last, None));
        outages.push(close(range, ended));
    }
    outages
}

impl Outage<'_> {
    /// What the scans add up to. `conflict` says how an admitted scan stands now.
    pub(crate) fn report(&self, conflict: impl Fn(ScanId) -> Option<ConflictKind>) -> Report {
        Report::of(self.rows, conflict)
    }

    /// Its rows, file by file.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for row in self.rows {
            let (incarnation, seq) = (row.row().incarnation, row.row().seq);
            match spans.last_mut() {
                Some(span) if span.incarnation == incarnation => span.to = seq,
                Some(_) | None => spans.push(Span {
                    incarnation,
                    from: seq,
                    to: seq,
                }),
            }
        }
        spans
    }

    /// The guests that were let in.
    pub(crate) fn admitted(&self) -> impl Iterator<Item = ScanId> {
        self.rows.iter().filter_map(|row| match &row.row().entry {
            JournalEntry::Decision(decision) if decision.verdict == Verdict::Admit => {
                Some(decision.scan)
            }
            JournalEntry::Decision(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Voided { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::hash::Hash32;
    use eventify_protocol::ids::{BootId, GateId, ScannerId};
    use eventify_protocol::sync::{Decision, JournalRow};
    use eventify_protocol::time::{BootTime, CoreInterval, WallTime};
    use eventify_protocol::verdict::DecidedBy;
    use uuid::Uuid;

    use super::*;

    const NODE: NodeId = NodeId(Uuid::from_u128(1));

    /// A refused scan a second, in these modes.
    fn rows(modes: &[Mode]) -> Vec<SealedRow> {
        let row = |(mode, seq): (&Mode, u64)| {
            let time = CoreTime(seq.cast_signed());
            SealedRow::seal(JournalRow {
                incarnation: IncarnationId(Uuid::from_u128(2)),
                seq,
                previous: Hash32::ZERO,
                at: Moment {
                    boot: BootId(Uuid::nil()),
                    boottime: BootTime(seq),
                    wall: WallTime(time.0),
                    core: Some(CoreInterval::exact(time)),
                },
                entry: JournalEntry::Decision(Decision {
                    scan: ScanId(Uuid::from_u128(seq.into())),
                    scanner: ScannerId(Uuid::nil()),
                    gate: GateId(Uuid::nil()),
                    token: Hash32::ZERO,
                    ticket: None,
                    performance: None,
                    verdict: Verdict::UnknownOffline,
                    mode: *mode,
                    decided_by: DecidedBy::Edge,
                    cache_age_ms: None,
                    point: None,
                    replaces: Vec::new(),
                }),
            })
        };
        modes.iter().zip((10..).step_by(10)).map(row).collect()
    }

    /// Rows of each outage, and its end.
    fn cut(modes: &[Mode], online: &[i64]) -> Vec<(usize, Option<End>)> {
        let online: Vec<_> = online.iter().copied().map(CoreTime).collect();
        outages(NODE, &rows(modes), &online)
            .iter()
            .map(|outage| (outage.rows.len(), outage.ended))
            .collect()
    }

    #[test]
    fn an_outage_ends_with_the_first_decision_online() {
        use Mode::{Degraded, Locked, Online};
        let modes = [Online, Degraded, Locked, Online, Online];
        let end = End::Decision(rows(&modes)[3].row().at);
        assert_eq!(cut(&modes, &[]), [(2, Some(end))]);
    }

    #[test]
    fn a_node_that_says_it_is_online_needs_no_scan_to_end_its_outage() {
        use Mode::{Degraded, Online};
        let word = |at| Some(End::Word(CoreTime(at)));
        assert_eq!(cut(&[Degraded, Degraded], &[]), [(2, None)]);
        assert_eq!(cut(&[Degraded, Degraded], &[5]), [(2, None)]);
        assert_eq!(cut(&[Degraded, Degraded], &[5, 25]), [(2, word(25))]);
        // Two outages, though nobody came between them.
        assert_eq!(
            cut(&[Degraded, Degraded], &[15, 90]),
            [(1, word(15)), (1, word(90))]
        );
        assert_eq!(
            cut(&[Degraded, Online, Degraded], &[15]),
            [(1, word(15)), (1, None)]
        );
    }
}
