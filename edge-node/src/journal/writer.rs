//! The one writer: a thread that commits in groups.

use std::cell::Cell;

use eventify_protocol::{
    hash::Hash32,
    sync::{JournalAck, JournalHead, SealedRow},
    time::CoreTime,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    JournalError, acts::act_of, checkpointer::Checkpointer, decode_hash, encode_epoch, from_sql,
    scan_of, to_sql,
};
use crate::{config::JournalConfig, writer_thread::Queue};

/// Most commands in one transaction.
const MAX_GROUP: usize = 256;
/// Rows that one retirement examines: it must not delay a verdict.
const MAX_RETIRED: u32 = 512;

#[derive(Debug)]
pub(super) enum Command {
    Append(Vec<SealedRow>),
    MarkAcknowledged(JournalAck),
    Retire(CoreTime),
    CopyLog,
}

/// A report of the writer.
#[derive(Debug)]
pub enum Notice {
    /// The chain is on the disk up to here.
    Persisted {
        head: JournalHead,
        /// Bytes that can still be written.
        space: u64,
    },
    /// Another program holds the file. What the writer was given waits, and no verdict waits with it.
    /// `Free` follows, unless the writer ends.
    Held,
    Free,
    /// A write failed. The writer has ended, and no verdict of a row that it was given since the last
    /// `Persisted` may leave.
    Failed(JournalError),
}

pub(super) struct Writer {
    connection: Connection,
    checkpointer: Checkpointer,
    limits: JournalConfig,
    /// The newest chain's ordinal and end.
    end: Option<(i64, JournalHead)>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        checkpointer: Checkpointer,
        limits: JournalConfig,
    ) -> Result<Self, JournalError> {
        let end = super::reader::find_newest_end(&connection)?;
        Ok(Self {
            connection,
            checkpointer,
            limits,
            end,
        })
    }

    pub(super) fn run(mut self, waiting: &Queue<Command>, notify: &impl Fn(Notice)) {
        while let Ok(first) = waiting.recv() {
            let mut group = vec![first];
            while group.len() < MAX_GROUP {
                let Ok(next) = waiting.try_recv() else { break };
                group.push(next);
            }
            let appended = group
                .iter()
                .any(|command| matches!(command, Command::Append(_)));
            let was_held = Cell::new(false);
            let held = || {
                was_held.set(true);
                notify(Notice::Held);
            };
            let committed = waiting.until_free(JournalError::is_held, held, || self.commit(&group));
            if was_held.get() {
                notify(Notice::Free);
            }
            match (committed, self.end) {
                // Nobody waits for marks and removals: the core will acknowledge again.
                (Err(error), _) if !appended && error.is_disk_full() => {
                    tracing::error!(
                        code = "journal.disk_full",
                        %error,
                        "the disk is full: an acknowledgement of the core could not be stored"
                    );
                }
                (Err(error), _) => {
                    notify(Notice::Failed(error));
                    return;
                }
                (Ok(()), Some((_, head))) if appended => {
                    notify(Notice::Persisted {
                        head,
                        space: super::space(&self.connection, &self.limits),
                    });
                }
                (Ok(()), _) => {}
            }
        }
    }

    fn commit(&mut self, group: &[Command]) -> Result<(), JournalError> {
        let mut end = self.end;
        let (mut written, mut copies_log) = (0, false);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for command in group {
            match command {
                Command::Append(rows) => {
                    for row in rows {
                        end = Some(append(&transaction, end, row)?);
                    }
                    written += rows.len();
                }
                Command::MarkAcknowledged(ack) => mark_acknowledged(&transaction, ack)?,
                Command::Retire(before) => retire(&transaction, *before)?,
                Command::CopyLog => copies_log = true,
            }
        }
        transaction.commit()?;
        self.end = end;
        self.checkpointer.rows_written(written);
        if copies_log {
            self.checkpointer.copy();
        }
        Ok(())
    }
}

/// Writes a row at the end of the newest chain, or at the beginning of a new one.
fn append(
    transaction: &Transaction<'_>,
    end: Option<(i64, JournalHead)>,
    sealed: &SealedRow,
) -> Result<(i64, JournalHead), JournalError> {
    let row = sealed.row();
    let begins = row.seq == 1 && row.previous == Hash32::ZERO;
    let chain = match end {
        Some((chain, head)) if head.is_followed_by(row) => chain,
        Some((_, head)) if !begins || head.incarnation == row.incarnation => {
            return Err(JournalError::NotNext { seq: row.seq });
        }
        None if !begins => return Err(JournalError::NotNext { seq: row.seq }),
        Some(_) | None => transaction
            .prepare_cached(
                "INSERT INTO chains (incarnation, base_seq, base_hash) VALUES (?, 0, ?)",
            )?
            .insert(params![
                row.incarnation.as_uuid().as_bytes(),
                Hash32::ZERO.0
            ])?,
    };
    let (act, person) = act_of(row);
    transaction
        .prepare_cached(
            "INSERT INTO rows (chain, seq, hash, scan, bytes, act, person)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            chain,
            to_sql(row.seq),
            sealed.hash().0,
            scan_of(row).map(|scan| *scan.as_uuid().as_bytes()),
            sealed.bytes(),
            act.map(|act| *act.as_uuid().as_bytes()),
            person.map(|person| *person.as_uuid().as_bytes()),
        ])?;
    Ok((chain, sealed.head()))
}

/// The core holds the chain up to here and not beyond: after a failover it can hold less than it had
/// acknowledged before.
fn mark_acknowledged(transaction: &Transaction<'_>, ack: &JournalAck) -> Result<(), JournalError> {
    let incarnation = ack.incarnation.as_uuid().into_bytes();
    transaction
        .prepare_cached(
            "DELETE FROM acknowledgements
             WHERE chain = (SELECT ordinal FROM chains WHERE incarnation = ?) AND seq > ?",
        )?
        .execute(params![incarnation, to_sql(ack.seq)])?;
    transaction
        .prepare_cached(
            "INSERT INTO acknowledgements (chain, seq, hash, epoch, position)
             SELECT rows.chain, rows.seq, rows.hash, ?4, ?5
             FROM rows JOIN chains ON chains.ordinal = rows.chain
             WHERE chains.incarnation = ?1 AND rows.seq = ?2 AND rows.hash = ?3
             ON CONFLICT (chain, seq)
             DO UPDATE SET epoch = excluded.epoch, position = excluded.position",
        )?
        .execute(params![
            incarnation,
            to_sql(ack.seq),
            ack.hash.0,
            encode_epoch(&ack.epoch),
            to_sql(ack.position.0),
        ])?;
    Ok(())
}

/// Removes old acknowledged rows from the beginning of each chain; never its last row, which the next
/// one follows.
fn retire(transaction: &Transaction<'_>, before: CoreTime) -> Result<(), JournalError> {
    let chains: Vec<i64> = transaction
        .prepare_cached("SELECT ordinal FROM chains ORDER BY ordinal")?
        .query_map((), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for chain in chains {
        if let Some((seq, hash)) = last_retired(transaction, chain, before)? {
            transaction
                .prepare_cached(
                    "UPDATE chains SET base_seq = ?2, base_hash = ?3 WHERE ordinal = ?1",
                )?
                .execute(params![chain, to_sql(seq), hash.0])?;
            transaction
                .prepare_cached("DELETE FROM rows WHERE chain = ? AND seq <= ?")?
                .execute(params![chain, to_sql(seq)])?;
            transaction
                .prepare_cached("DELETE FROM acknowledgements WHERE chain = ? AND seq <= ?")?
                .execute(params![chain, to_sql(seq)])?;
        }
    }
    Ok(())
}

/// The last row that can be removed. Rows whose time the node could not prove are removed with those
/// after them.
fn last_retired(
    transaction: &Transaction<'_>,
    chain: i64,
    before: CoreTime,
) -> Result<Option<(u64, Hash32)>, JournalError> {
    let acknowledged: Option<i64> = transaction
        .prepare_cached("SELECT max(seq) FROM acknowledgements WHERE chain = ?")?
        .query_row([chain], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(acknowledged) = acknowledged else {
        return Ok(None);
    };
    let mut statement = transaction.prepare_cached(
        "SELECT seq, hash, bytes FROM rows WHERE chain = ? AND seq < ? ORDER BY seq LIMIT ?",
    )?;
    let mut rows = statement.query(params![chain, acknowledged, MAX_RETIRED])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let sealed = SealedRow::read(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?)?;
        match sealed.row().at.core {
            Some(at) if at.latest < before => {
                let hash = decode_hash(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
                last = Some((from_sql(row.get(0)?), hash));
            }
            Some(_) => break,
            None => {}
        }
    }
    Ok(last)
}
