//! Reading the journal, beside the writer.

use std::{ops::RangeInclusive, path::Path};

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, ScanId},
    sync::{JournalAck, JournalEntry, JournalHead, Position, RowError, SealedRow},
};
use eventify_sync::edge::Previous;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::{JournalError, decode_hash, from_sql, schema, to_sql};
use crate::config::JournalConfig;

/// The rows of one incarnation that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its place among the others.
    pub(super) ordinal: i64,
    /// What its first kept row follows: row 0 and hash zero unless retention removed rows.
    pub base: JournalHead,
    pub head: JournalHead,
    /// The core's newest acknowledgement.
    pub acknowledged: Option<JournalAck>,
}

/// A read-only connection.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
}

impl Reader {
    /// Opens an existing journal.
    ///
    /// # Errors
    /// See [`JournalError`]; also if there is no journal.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self {
            connection: schema::open_reader(path)?,
        })
    }

    /// All chains, oldest first; the last one is in use.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn chains(&self) -> Result<Vec<Chain>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT ordinal, incarnation, base_seq, base_hash FROM chains ORDER BY ordinal",
        )?;
        let mut rows = statement.query(())?;
        let mut chains = Vec::new();
        while let Some(row) = rows.next()? {
            let ordinal = row.get(0)?;
            let incarnation = IncarnationId(Uuid::from_bytes(row.get(1)?));
            let base = JournalHead {
                incarnation,
                seq: from_sql(row.get(2)?),
                hash: decode_hash(blob(row, 3)?)?,
            };
            chains.push(Chain {
                ordinal,
                base,
                head: self
                    .find_end(ordinal)?
                    .map_or(base, |(seq, hash)| JournalHead {
                        incarnation,
                        seq,
                        hash,
                    }),
                acknowledged: self.find_newest_ack(ordinal, incarnation)?,
            });
        }
        Ok(chains)
    }

    /// The newest decision about a scan, in any chain.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn find_decision(&self, scan: ScanId) -> Result<Option<Previous>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT bytes FROM rows WHERE scan = ? ORDER BY chain DESC, seq DESC",
        )?;
        let mut rows = statement.query([scan.as_uuid().as_bytes()])?;
        let (mut voided_row, mut overridden, mut undone) = (None, None, false);
        while let Some(row) = rows.next()? {
            let row = decode_row(row, 0)?.row().clone();
            match row.entry {
                JournalEntry::Voided { row: voided, .. } => {
                    voided_row = voided_row.or(Some((row.incarnation, voided)));
                }
                // Nobody was shown an override that was taken back.
                JournalEntry::Overridden(_) if voided_row == Some((row.incarnation, row.seq)) => {
                    voided_row = None;
                }
                JournalEntry::Overridden(_) => overridden = overridden.or(Some(row.at)),
                JournalEntry::Undone(_) => undone = true,
                JournalEntry::Decision(decision) => {
                    let voided = voided_row == Some((row.incarnation, row.seq));
                    return Ok(Some(Previous {
                        decision,
                        at: row.at,
                        voided,
                        overridden,
                        undone,
                    }));
                }
                JournalEntry::Opened { .. }
                | JournalEntry::RefusedAgain { .. }
                | JournalEntry::Unreadable { .. }
                | JournalEntry::Searched(_)
                | JournalEntry::Left(_)
                | JournalEntry::GateChanged(_) => {}
            }
        }
        Ok(None)
    }

    /// Rows of a chain, in order, until their bytes exceed `max_bytes`; at least one if there is one.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn list_rows(
        &self,
        incarnation: IncarnationId,
        seqs: RangeInclusive<u64>,
        max_bytes: usize,
    ) -> Result<Vec<SealedRow>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT rows.bytes FROM rows JOIN chains ON chains.ordinal = rows.chain
             WHERE chains.incarnation = ? AND rows.seq BETWEEN ? AND ? ORDER BY rows.seq",
        )?;
        let mut rows = statement.query(params![
            incarnation.as_uuid().as_bytes(),
            to_sql(*seqs.start()),
            to_sql(*seqs.end())
        ])?;
        let mut found = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let next = decode_row(row, 0)?;
            bytes += next.bytes().len();
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            found.push(next);
        }
        Ok(found)
    }

    /// Gives all rows of a chain after a number to `each`, with their stored hashes.
    ///
    /// # Errors
    /// See [`JournalError`], and whatever `each` returns.
    pub fn for_each_after<E: From<JournalError>>(
        &self,
        chain: &Chain,
        seq: u64,
        mut each: impl FnMut(Hash32, SealedRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self
            .connection
            .prepare("SELECT hash, bytes FROM rows WHERE chain = ? AND seq > ? ORDER BY seq")
            .map_err(JournalError::from)?;
        let mut rows = statement
            .query(params![chain.ordinal, to_sql(seq)])
            .map_err(JournalError::from)?;
        while let Some(row) = rows.next().map_err(JournalError::from)? {
            let stored = blob(row, 0).and_then(decode_hash)?;
            each(stored, decode_row(row, 1)?)?;
        }
        Ok(())
    }

    /// Bytes that can still be written: the smaller of what the limit and the disk leave.
    #[must_use]
    pub fn space(&self, limits: &JournalConfig) -> u64 {
        super::space(&self.connection, limits)
    }

    fn find_end(&self, ordinal: i64) -> Result<Option<(u64, Hash32)>, JournalError> {
        find_end(&self.connection, ordinal)
    }

    fn find_newest_ack(
        &self,
        ordinal: i64,
        incarnation: IncarnationId,
    ) -> Result<Option<JournalAck>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, hash, epoch, position FROM acknowledgements WHERE chain = ?
             ORDER BY seq DESC LIMIT 1",
        )?;
        let mut rows = statement.query([ordinal])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some(JournalAck {
            incarnation,
            seq: from_sql(row.get(0)?),
            hash: decode_hash(blob(row, 1)?)?,
            epoch: minicbor::decode(blob(row, 2)?).map_err(RowError::from)?,
            position: Position(from_sql(row.get(3)?)),
        }))
    }
}

/// Ordinal and end of the newest chain.
pub(super) fn find_newest_end(
    connection: &Connection,
) -> Result<Option<(i64, JournalHead)>, JournalError> {
    let newest: Option<(i64, [u8; 16])> = connection
        .query_row(
            "SELECT ordinal, incarnation FROM chains ORDER BY ordinal DESC LIMIT 1",
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((ordinal, incarnation)) = newest else {
        return Ok(None);
    };
    let incarnation = IncarnationId(Uuid::from_bytes(incarnation));
    let end = find_end(connection, ordinal)?;
    Ok(end.map(|(seq, hash)| {
        (
            ordinal,
            JournalHead {
                incarnation,
                seq,
                hash,
            },
        )
    }))
}

fn find_end(connection: &Connection, ordinal: i64) -> Result<Option<(u64, Hash32)>, JournalError> {
    let mut statement = connection
        .prepare_cached("SELECT seq, hash FROM rows WHERE chain = ? ORDER BY seq DESC LIMIT 1")?;
    let mut rows = statement.query([ordinal])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some((from_sql(row.get(0)?), decode_hash(blob(row, 1)?)?)))
}

pub(super) fn blob<'r>(row: &'r Row<'_>, index: usize) -> Result<&'r [u8], JournalError> {
    Ok(row
        .get_ref(index)?
        .as_blob()
        .map_err(rusqlite::Error::from)?)
}

pub(super) fn decode_row(row: &Row<'_>, index: usize) -> Result<SealedRow, JournalError> {
    Ok(SealedRow::read(blob(row, index)?)?)
}
