//! The rows that the machine needs at its start.

use eventify_protocol::sync::{Epoch, Position, SealedRow};
use eventify_sync::edge::{RestoredJournal, RestoredRow};
use rusqlite::params;

use super::{Chain, JournalError, Reader, encode_epoch, from_sql, reader::decode_row, to_sql};

/// Acknowledged rows that are read again when the replica does not show which ones it has passed: it
/// is gone, or of another epoch. The core's snapshot has the older ones.
const MAX_REREAD: u64 = 20_000;

impl Reader {
    /// The newest chain's end, and its rows that are unacknowledged or whose effects the replica at
    /// this position may not have. None if nothing was ever written.
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
            Some((epoch, _)) => self.list_acknowledgements(&chain, &epoch)?,
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

    /// All rows of a chain after a number.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn list_rows_after(&self, chain: &Chain, seq: u64) -> Result<Vec<SealedRow>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM rows WHERE chain = ? AND seq > ? ORDER BY seq")?;
        let mut rows = statement.query(params![chain.ordinal, to_sql(seq)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(decode_row(row, 0)?);
        }
        Ok(found)
    }

    /// Acknowledgements with positions of one epoch, oldest first.
    fn list_acknowledgements(
        &self,
        chain: &Chain,
        epoch: &Epoch,
    ) -> Result<Vec<Ack>, JournalError> {
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

struct Ack {
    seq: u64,
    position: Position,
}

/// The position at which the feed has a row's effects: that of the first acknowledgement that covers
/// it.
fn position_of(acks: &[Ack], row: &SealedRow) -> Option<Position> {
    let first = acks.partition_point(|ack| ack.seq < row.row().seq);
    acks.get(first).map(|ack| ack.position)
}
