//! Which rows of a journal batch the core accepts. The caller holds the node's row lock (`ADMISSION`
//! 4.3).

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, NodeId},
    sync::{
        Epoch, JournalAck, JournalBatch, JournalEntry, JournalHead, Position, RowError, SealedRow,
    },
};

/// The two ends of the file that a node opened last, as the core holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Stored without gaps up to here.
    pub stored: JournalHead,
    /// All effects are in the feed up to here…
    pub acknowledged: JournalHead,
    /// …by this position.
    pub position: Position,
}

impl Ends {
    /// Of a node of which no file is stored.
    #[must_use]
    pub fn nothing(incarnation: IncarnationId) -> Self {
        Self {
            stored: JournalHead::empty(incarnation),
            acknowledged: JournalHead::empty(incarnation),
            position: Position(0),
        }
    }

    /// All that a node is ever told of its journal, whatever it has sent. An end that is only stored
    /// is not named, not even to contradict another chain: the answer may be late, or meet another
    /// machine with this identity, and find a node that has this very row by now. It would delete
    /// admissions that no feed has (`ADMISSION` 3.6).
    #[must_use]
    pub fn acknowledgement(&self, epoch: Epoch) -> JournalAck {
        let end = self.acknowledged;
        JournalAck {
            incarnation: end.incarnation,
            seq: end.seq,
            hash: end.hash,
            position: self.position,
            epoch,
        }
    }

    /// Whether all rows of a batch of this file are acknowledged.
    #[must_use]
    pub fn cover(&self, batch: &JournalBatch) -> bool {
        let is_behind = |last| last <= self.acknowledged.seq;
        batch.incarnation == self.acknowledged.incarnation && batch.last().is_some_and(is_behind)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The rows that were not stored yet, in order.
    pub rows: Vec<SealedRow>,
    /// The stored end with them.
    pub head: JournalHead,
    /// The batch begins another file than the stored one.
    pub succeeds: Option<JournalHead>,
}

/// Why a batch is refused. The node gets [`Ends::acknowledgement`]: it sends again what follows; finds
/// that this end is not in its chain, and begins a new file; or asks with a `Hello`, if it is of another
/// file. A node whose chain differs beyond that end sends again until the stored rows are applied.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Rows between the stored end and the batch are missing: it overtook another batch.
    #[error("the batch begins at row {from}, but only rows up to {stored} are stored")]
    Future { from: u64, stored: u64 },
    /// A stored row differs from the one in the batch or from the one that the batch continues: the
    /// node's disk is not the one that wrote what is stored. Alarm.
    #[error("row {seq} of the node's chain differs from the stored one")]
    Fork { seq: u64 },
    /// Another file that doesn't name the stored one as its predecessor. Alarm, unless the file is a
    /// predecessor of the stored one and the batch was only late.
    #[error("the batch is of another journal file than the stored one")]
    UnknownIncarnation,
    /// Alarm.
    #[error(transparent)]
    Malformed(#[from] RowError),
    /// No rows, or rows that are no chain. Alarm.
    #[error("row {seq} does not follow the one before, or is not allowed there")]
    BrokenChain { seq: u64 },
}

/// The row that both sides have and whose stored hash [`accept`] needs: the last of the batch that
/// is not beyond the stored end.
#[must_use]
pub fn overlap(stored: Option<&JournalHead>, batch: &JournalBatch) -> Option<u64> {
    let stored = stored.filter(|stored| stored.incarnation == batch.incarnation)?;
    let last = batch.last()?;
    (batch.from >= 1 && batch.from <= stored.seq).then_some(last.min(stored.seq))
}

/// Verifies a batch against the stored end. `stored_hash` is the hash of row [`overlap`].
///
/// # Errors
/// [`Refused`].
pub fn accept(
    node: NodeId,
    stored: Option<&JournalHead>,
    stored_hash: Option<Hash32>,
    batch: &JournalBatch,
) -> Result<Accepted, Refused> {
    let rows = decode(node, batch)?;
    let Some(stored) = stored else {
        let head = JournalHead::empty(batch.incarnation);
        return if batch.from == 1 {
            Ok(all(rows, head, None))
        } else {
            Err(future(batch, 0))
        };
    };
    if stored.incarnation != batch.incarnation {
        let succeeds = rows.first().and_then(|first| predecessor(first)).copied();
        let ours = succeeds.filter(|head| head.incarnation == stored.incarnation);
        let head = JournalHead::empty(batch.incarnation);
        return ours.map_or(Err(Refused::UnknownIncarnation), |old| {
            Ok(all(rows, head, Some(old)))
        });
    }
    if batch.from > stored.seq + 1 {
        return Err(future(batch, stored.seq));
    }
    if let Some(seq) = overlap(Some(stored), batch) {
        let ours = rows
            .iter()
            .find(|row| row.row().seq == seq)
            .map(SealedRow::hash);
        if ours != stored_hash || stored_hash.is_none() {
            return Err(Refused::Fork { seq });
        }
    }
    let new: Vec<_> = rows
        .into_iter()
        .filter(|row| row.row().seq > stored.seq)
        .collect();
    match new.first() {
        Some(first) if !stored.is_followed_by(first.row()) => {
            Err(Refused::Fork { seq: stored.seq })
        }
        _ => Ok(all(new, *stored, None)),
    }
}

fn all(rows: Vec<SealedRow>, stored: JournalHead, succeeds: Option<JournalHead>) -> Accepted {
    let head = rows.last().map_or(stored, SealedRow::head);
    Accepted {
        rows,
        head,
        succeeds,
    }
}

fn future(batch: &JournalBatch, stored: u64) -> Refused {
    Refused::Future {
        from: batch.from,
        stored,
    }
}

/// The rows of a batch, if they are one chain from `from` on, with `Opened` of this node as row 1
/// and nowhere else.
fn decode(node: NodeId, batch: &JournalBatch) -> Result<Vec<SealedRow>, Refused> {
    if batch.last().is_none() {
        return Err(Refused::BrokenChain { seq: batch.from });
    }
    let mut rows: Vec<SealedRow> = Vec::with_capacity(batch.rows.len());
    for (seq, bytes) in batch.numbers().zip(&batch.rows) {
        let row = SealedRow::read(bytes)?;
        let follows = match rows.last() {
            Some(last) => last.head().is_followed_by(row.row()),
            None => {
                row.row().incarnation == batch.incarnation
                    && row.row().seq == seq
                    && (seq > 1 || row.row().previous == Hash32::ZERO)
            }
        };
        let opened = match &row.row().entry {
            JournalEntry::Opened { node: whose, .. } => seq == 1 && *whose == node,
            JournalEntry::Decision(_)
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => seq > 1,
        };
        if !follows || !opened {
            return Err(Refused::BrokenChain { seq });
        }
        rows.push(row);
    }
    Ok(rows)
}

fn predecessor(first: &SealedRow) -> Option<&JournalHead> {
    match &first.row().entry {
        JournalEntry::Opened { succeeds, .. } => succeeds.as_ref(),
        JournalEntry::Decision(_)
        | JournalEntry::Voided { .. }
        | JournalEntry::RefusedAgain { .. }
        | JournalEntry::Unreadable { .. }
        | JournalEntry::Searched(_)
        | JournalEntry::Overridden(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => None,
    }
}
