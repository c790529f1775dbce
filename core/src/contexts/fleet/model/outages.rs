//! Outages: the spans of a journal in which a node decided alone, or could not decide.

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
    /// None while it lasts, as far as the core knows.
    pub(crate) ended: Option<OutageEnd>,
}

/// How the core knows that a node is `Online` again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutageEnd {
    /// By a decision in that mode.
    Decision(Moment),
    /// By the node's health report, received at this time.
    Reported(CoreTime),
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
        JournalEntry::Unreadable { mode, .. } => Some(*mode),
        JournalEntry::Searched(searched) => Some(searched.mode),
        JournalEntry::Overridden(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => row.row().entry.act().map(|by| by.mode),
        JournalEntry::Opened { .. }
        | JournalEntry::Voided { .. }
        | JournalEntry::RefusedAgain { .. } => None,
    }
}

/// The latest core time that is surely not after the row; the wall clock's where nothing is proven.
fn not_before(row: &SealedRow) -> CoreTime {
    let at = row.row().at;
    at.core.map_or(CoreTime(at.wall.0), |core| core.earliest)
}

/// Cuts a node's rows, in their order, into outages; rows between outages belong to none. `online`
/// are the times, in order, at which the core received the report that the node is `Online`.
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
    let reported_after = |row: &SealedRow, next: Option<&SealedRow>| {
        let reported = online.iter().find(|at| **at > not_before(row));
        reported
            .filter(|at| next.is_none_or(|next| **at <= not_before(next)))
            .map(|at| OutageEnd::Reported(*at))
    };
    for (index, row) in rows.iter().enumerate() {
        let Some(mode) = mode(row) else { continue };
        if let Some(range) = open.take() {
            let reported = reported_after(&rows[index - 1], Some(row));
            match (reported, mode) {
                (Some(end), _) => outages.push(close(range.start..index, Some(end))),
                (None, Mode::Online) => {
                    let decision = OutageEnd::Decision(row.row().at);
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
        let ended = rows.last().and_then(|last| reported_after(last, None));
        outages.push(close(range, ended));
    }
    outages
}

impl Outage<'_> {
    /// Counts the scans by class. `conflict` gives the present conflict of an admitted scan.
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

    /// The scans that admitted a guest.
    pub(crate) fn admitted(&self) -> impl Iterator<Item = ScanId> {
        self.rows.iter().filter_map(|row| match &row.row().entry {
            JournalEntry::Decision(decision) if decision.verdict == Verdict::Admit => {
                Some(decision.scan)
            }
            JournalEntry::Overridden(act) => Some(act.scan),
            JournalEntry::Decision(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => None,
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
                    asked_until: None,
                    person: None,
                }),
            })
        };
        modes.iter().zip((10..).step_by(10)).map(row).collect()
    }

    /// Rows of each outage, and its end.
    fn cut(modes: &[Mode], online: &[i64]) -> Vec<(usize, Option<OutageEnd>)> {
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
        let end = OutageEnd::Decision(rows(&modes)[3].row().at);
        assert_eq!(cut(&modes, &[]), [(2, Some(end))]);
    }

    #[test]
    fn a_node_that_reports_online_needs_no_scan_to_end_its_outage() {
        use Mode::{Degraded, Online};
        let reported = |at| Some(OutageEnd::Reported(CoreTime(at)));
        assert_eq!(cut(&[Degraded, Degraded], &[]), [(2, None)]);
        assert_eq!(cut(&[Degraded, Degraded], &[5]), [(2, None)]);
        assert_eq!(cut(&[Degraded, Degraded], &[5, 25]), [(2, reported(25))]);
        // Two outages, though no scan lies between them.
        assert_eq!(
            cut(&[Degraded, Degraded], &[15, 90]),
            [(1, reported(15)), (1, reported(90))]
        );
        assert_eq!(
            cut(&[Degraded, Online, Degraded], &[15]),
            [(1, reported(15)), (1, None)]
        );
    }
}
