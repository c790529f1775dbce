//! The reconciliation: what each outage came to. An outage is a span in which a node decided by
//! itself, or could not.

use eventify_protocol::ids::{IncarnationId, NodeId, ScanId};
use eventify_protocol::sync::{JournalEntry, Moment, SealedRow};
use eventify_protocol::verdict::{Mode, Verdict};
use eventify_sync::core::ConflictKind;
use eventify_sync::core::report::Report;

/// One outage of one node, with its rows.
#[derive(Debug)]
pub(in crate::fleet) struct Outage<'r> {
    pub(in crate::fleet) node: NodeId,
    pub(in crate::fleet) rows: &'r [SealedRow],
    /// The first decision made in another mode than `Online`.
    pub(in crate::fleet) began: Moment,
    /// The first `Online` one after it; none while it lasts, as far as the journal tells.
    pub(in crate::fleet) ended: Option<Moment>,
}

/// Which rows an outage has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Span {
    pub(in crate::fleet) incarnation: IncarnationId,
    pub(in crate::fleet) from: u64,
    pub(in crate::fleet) to: u64,
}

fn mode(row: &SealedRow) -> Option<Mode> {
    match &row.row().entry {
        JournalEntry::Decision(decision) => Some(decision.mode),
        JournalEntry::Opened { .. } | JournalEntry::Voided { .. } => None,
    }
}

/// Cuts a node's rows, in their order, into outages. What lies between is not part of any.
pub(in crate::fleet) fn outages(node: NodeId, rows: &[SealedRow]) -> Vec<Outage<'_>> {
    let mut outages = Vec::new();
    let mut start: Option<usize> = None;
    for (index, row) in rows.iter().enumerate() {
        match (mode(row), start) {
            (Some(Mode::Online), Some(from)) => {
                let ended = Some(row.row().at);
                outages.push(Outage {
                    node,
                    rows: &rows[from..index],
                    began: rows[from].row().at,
                    ended,
                });
                start = None;
            }
            (Some(Mode::Degraded | Mode::Locked | Mode::Resyncing), None) => start = Some(index),
            (Some(_), _) | (None, _) => {}
        }
    }
    if let Some(from) = start {
        outages.push(Outage {
            node,
            rows: &rows[from..],
            began: rows[from].row().at,
            ended: None,
        });
    }
    outages
}

impl Outage<'_> {
    /// What the scans add up to. `conflict` says how an admitted scan stands now.
    pub(in crate::fleet) fn report(
        &self,
        conflict: impl Fn(ScanId) -> Option<ConflictKind>,
    ) -> Report {
        Report::of(self.rows, conflict)
    }

    /// Its rows, file by file.
    pub(in crate::fleet) fn spans(&self) -> Vec<Span> {
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
    pub(in crate::fleet) fn admitted(&self) -> impl Iterator<Item = ScanId> {
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
