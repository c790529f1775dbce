//! What the machine starts from: the rows that still matter.

use eventify_protocol::sync::{Epoch, Position, SealedRow};
use eventify_sync::edge::{RestoredJournal, RestoredRow};
use rusqlite::params;

use super::{Chain, JournalError, Reader, encode_epoch, from_sql, reader::sealed, to_sql};

/// Acknowledged rows that are read again when the replica says nothing about what it has passed: it
/// is gone, or of another epoch. What it misses of older ones, the core's snapshot holds.
const MAX_REREAD: u64 = 20_000;

impl Reader {
    /// The newest chain's end, and its rows that are unacknowledged or whose effects the replica at
    /// this place does not hold for certain. None if nothing was ever written.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn restored(
        &self,
        replica: Option<(Epoch, Position)>,
    ) -> Result<Option<RestoredJournal>, JournalError> {
        let Some(chain) = self.chains()?.pop() else {
            return Ok(None);
        };
        let acknowledged = chain.acknowledged.map_or(0, |ack| ack.seq);
        let oldest = acknowledged.saturating_sub(MAX_REREAD).max(chain.base.seq);
        let acks = match replica {
            Some((epoch, _)) => self.acknowledgements(&chain, &epoch)?,
            None => Vec::new(),
        };
        let position = replica.map_or(Position(0), |(_, position)| position);
        let passed = acks.iter().rev().find(|ack| ack.position <= position);
        let passed = passed.map_or(oldest, |ack| ack.seq);
        let mut rows = Vec::new();
        self.for_each_after(&chain, passed, |_, row| {
            rows.push(RestoredRow {
                acknowledged: position_of(&acks, &row),
                row,
            });
            Ok::<(), JournalError>(())
        })?;
        Ok(Some(RestoredJournal {
            head: chain.head,
            acknowledged,
            rows,
        }))
    }

    /// A chain's rows from a number on, all of them.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn rows_after(&self, chain: &Chain, seq: u64) -> Result<Vec<SealedRow>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM rows WHERE chain = ? AND seq > ? ORDER BY seq")?;
        let mut rows = statement.query(params![chain.ordinal, to_sql(seq)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(sealed(row, 0)?);
        }
        Ok(found)
    }

    /// What was acknowledged by positions of one epoch, oldest first.
    fn acknowledgements(&self, chain: &Chain, epoch: &Epoch) -> Result<Vec<Ack>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, position FROM acknowledgements WHERE chain = ? AND epoch = ? ORDER BY seq",
        )?;
        let mut rows = statement.query(params![chain.ordinal, encode_epoch(epoch)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Ack {
                seq: from_sql(row.get(0)?),
                position: Position(from_sql(row.get(1)?)),
            });
        }
        Ok(found)
    }
}

/// One acknowledgement, reduced to what it means for a replica.
struct Ack {
    seq: u64,
    position: Position,
}

/// By which position a row's effects are in the feed: the first acknowledgement that covers it.
fn position_of(acks: &[Ack], row: &SealedRow) -> Option<Position> {
    let first = acks.partition_point(|ack| ack.seq < row.row().seq);
    acks.get(first).map(|ack| ack.position)
}
