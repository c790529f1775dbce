//! The owner's side of the journal: rows of a round, what is on disk, chains that begin.

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, NodeId},
    sync::{Epoch, JournalEntry, JournalHead, JournalRow, Moment, Position, SealedRow},
};
use eventify_sync::edge::{Input, Now, RestoredJournal, RestoredRow, carry_over};
use tokio::sync::mpsc;

use crate::{
    clock::{self, Clock},
    config::Config,
    journal::{Journal, JournalError, Notice, Reader},
};

/// See the module.
pub(super) struct Log {
    pub(super) journal: Journal,
    pub(super) reader: Reader,
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    /// How much more can be written.
    pub(super) room: u64,
    node: NodeId,
    /// Rows of this round.
    rows: Vec<SealedRow>,
    /// The end of what was given to the writer, and of what it has on disk.
    appended: JournalHead,
    persisted: JournalHead,
    /// A new chain that waits until the old one is on disk to its end.
    wanted: Option<NewChain>,
    /// A new chain on its way to the disk.
    opening: Option<(JournalHead, Vec<SealedRow>)>,
}

/// See `Output::NewJournal`.
#[derive(Debug)]
pub(super) struct NewChain {
    pub(super) incarnation: IncarnationId,
    pub(super) succeeds: JournalHead,
    pub(super) at: Moment,
}

impl Log {
    /// Opens the journal; the first start writes its first row.
    pub(super) fn open(
        config: &Config,
        node: NodeId,
        (clock, now): (&Clock, Now),
        replica: Option<(Epoch, Position)>,
    ) -> Result<(Self, RestoredJournal), JournalError> {
        let (say, notices) = mpsc::unbounded_channel();
        // The receiver lives as long as the owner; a notice after that is nobody's business.
        let notify = move |notice| drop(say.send(notice));
        let journal = Journal::open(&config.data_dir, config.journal, notify)?;
        let reader = journal.reader()?;
        let found = reader.restored(replica)?;
        let persisted = found.as_ref().map(|found| found.head);
        let restored = found.unwrap_or_else(|| {
            let at = Moment {
                boot: clock.boot(),
                boottime: now.boottime,
                wall: now.wall,
                core: None,
            };
            first_chain(&journal, node, at)
        });
        let empty = JournalHead::empty(restored.head.incarnation);
        let log = Self {
            room: reader.room(&config.journal),
            journal,
            reader,
            notices,
            node,
            rows: Vec::new(),
            appended: restored.head,
            persisted: persisted.unwrap_or(empty),
            wanted: None,
            opening: None,
        };
        Ok((log, restored))
    }

    /// Adds a row to this round's.
    pub(super) fn add(&mut self, row: SealedRow) {
        self.rows.push(row);
    }

    /// Gives this round's rows to the writer, which commits them together.
    pub(super) fn flush(&mut self) {
        if let Some(last) = self.rows.last() {
            self.appended = last.head();
            self.journal.append(std::mem::take(&mut self.rows));
        }
    }

    /// The writer has everything up to `head` on disk: what the machine has to know of it.
    pub(super) fn persisted(
        &mut self,
        head: JournalHead,
        room: u64,
    ) -> Result<Input, JournalError> {
        self.room = room;
        self.persisted = head;
        let opened = self
            .opening
            .take_if(|(opened, _)| opened.incarnation == head.incarnation);
        self.begin_wanted()?;
        Ok(match opened {
            Some((head, rows)) => Input::JournalOpened { head, rows },
            None => Input::Persisted {
                incarnation: head.incarnation,
                through: head.seq,
            },
        })
    }

    /// Begins a new chain as soon as the old one is on disk to its end, for it is read from there.
    pub(super) fn begin_chain(&mut self, wanted: NewChain) -> Result<(), JournalError> {
        self.flush();
        self.wanted = Some(wanted);
        self.begin_wanted()
    }

    fn begin_wanted(&mut self) -> Result<(), JournalError> {
        if self.persisted != self.appended {
            return Ok(());
        }
        let Some(wanted) = self.wanted.take() else {
            return Ok(());
        };
        let old = match self.reader.chains()?.pop() {
            Some(chain) => self.reader.rows_after(&chain, 0)?,
            None => Vec::new(),
        };
        let NewChain {
            incarnation,
            succeeds,
            at,
        } = wanted;
        let rows = carry_over(self.node, incarnation, succeeds, at, &old);
        if let Some(last) = rows.last() {
            self.appended = last.head();
            self.opening = Some((last.head(), rows.clone()));
            self.journal.append(rows);
        }
        Ok(())
    }
}

/// The first row of the first chain. It is on its way to the disk before anything else is.
fn first_chain(journal: &Journal, node: NodeId, at: Moment) -> RestoredJournal {
    let row = SealedRow::seal(JournalRow {
        incarnation: clock::new_id(),
        seq: 1,
        previous: Hash32::ZERO,
        at,
        entry: JournalEntry::Opened {
            node,
            succeeds: None,
        },
    });
    journal.append(vec![row.clone()]);
    RestoredJournal {
        head: row.head(),
        acknowledged: 0,
        rows: vec![RestoredRow {
            row,
            acknowledged: None,
        }],
    }
}
