//! The owner's side of the journal: the rows of a round, what is on disk, new files after a fork.

use std::{path::PathBuf, time::Duration};

use eventify_log::LogThrottle;
use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, NodeId},
    lan::JournalFault,
    sync::{Epoch, JournalEntry, JournalHead, JournalRow, Moment, Position, SealedRow},
    time::BootTime,
};
use eventify_sync::edge::{Input, JournalOutput, Now, RestoredJournal, RestoredRow, carry_over};
use tokio::sync::mpsc;

use crate::{
    clock::{self, Clock},
    config::Config,
    config::JournalConfig,
    held_file,
    journal::{self, Journal, JournalError, LastRow, LastRowKeeper, Notice, Reader, find_loss},
};

/// How often a full disk is logged while scans come.
const NO_SPACE_LOG_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct JournalFile {
    pub(super) writer: Journal,
    pub(super) reader: Reader,
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    /// Bytes that can still be written.
    pub(super) space: u64,
    no_space: LogThrottle<BootTime>,
    /// Another program holds the file.
    held: bool,
    path: PathBuf,
    last_row: LastRowKeeper,
    node: NodeId,
    /// Rows of this round.
    rows: Vec<SealedRow>,
    /// The end of what the writer was given, and of what it has on disk.
    appended: JournalHead,
    persisted: JournalHead,
    /// A new file that waits until the old one is on disk to its end.
    planned: Option<NewFile>,
    /// A new file on its way to the disk.
    opening: Option<(JournalHead, Vec<SealedRow>)>,
}

/// See [`JournalOutput::BeginFile`].
struct NewFile {
    incarnation: IncarnationId,
    succeeds: JournalHead,
    at: Moment,
}

impl JournalFile {
    /// Opens the journal; the first start writes its first row. A journal that lacks a row which this
    /// folder knows of is left as it is.
    pub(super) fn open(
        config: &Config,
        node: NodeId,
        (clock, now): (&Clock, Now),
        (replica, in_replica): (Option<(Epoch, Position)>, Option<JournalHead>),
    ) -> Result<(Self, RestoredJournal), JournalError> {
        let apart = LastRow::load(&config.data_dir)?;
        let apart = apart.map(|apart| [Some(apart.own), apart.core]);
        let known: Vec<_> = apart
            .into_iter()
            .flatten()
            .flatten()
            .chain(in_replica)
            .collect();
        if let Some(loss) = find_loss(&config.data_dir, &known)? {
            return Err(JournalError::Behind(loss));
        }
        let (notify, notices) = mpsc::unbounded_channel();
        // The receiver lives as long as the owner; a later notice is needed by nobody.
        let notify = move |notice| drop(notify.send(notice));
        let writer = Journal::open(&config.data_dir, config.journal, notify)?;
        let reader = writer.reader()?;
        let found = reader.restored(replica)?;
        let persisted = found.as_ref().map(|found| found.head);
        let restored = found.unwrap_or_else(|| {
            let at = Moment {
                boot: clock.boot(),
                boottime: now.boottime,
                wall: now.wall,
                core: None,
            };
            begin_first_file(&writer, node, at)
        });
        let empty = JournalHead::empty(restored.head.incarnation);
        let file = Self {
            space: reader.space(&config.journal),
            no_space: LogThrottle::every(NO_SPACE_LOG_INTERVAL),
            held: false,
            path: journal::path(&config.data_dir),
            last_row: LastRowKeeper::start(&config.data_dir, empty)?,
            writer,
            reader,
            notices,
            node,
            rows: Vec::new(),
            appended: restored.head,
            persisted: persisted.unwrap_or(empty),
            planned: None,
            opening: None,
        };
        Ok((file, restored))
    }

    /// Carries out an output; what is known at once is returned.
    pub(super) fn perform(&mut self, output: JournalOutput) -> Result<Option<Input>, JournalError> {
        match output {
            JournalOutput::Append(row) => self.rows.push(*row),
            JournalOutput::ReadRows {
                incarnation,
                from,
                through,
                max_bytes,
            } => {
                let rows = self
                    .reader
                    .list_rows(incarnation, from..=through, max_bytes)?;
                return Ok(Some(Input::RowsRead {
                    incarnation,
                    from,
                    rows,
                }));
            }
            JournalOutput::MarkAcknowledged(ack) => self.writer.mark_acknowledged(ack),
            JournalOutput::BeginFile {
                incarnation,
                succeeds,
                at,
            } => {
                self.flush();
                self.planned = Some(NewFile {
                    incarnation,
                    succeeds,
                    at,
                });
                self.begin_planned()?;
            }
        }
        Ok(None)
    }

    /// The end of what is on disk.
    pub(super) fn persisted(&self) -> JournalHead {
        self.persisted
    }

    /// Once a second, and at the end.
    pub(super) fn keep_last_row(&mut self) {
        self.last_row.tick(self.persisted);
    }

    /// The core holds a row that is not here: the next start knows it.
    pub(super) fn stop_behind(&mut self, core: JournalHead) {
        self.flush();
        self.last_row.behind(self.persisted, core);
    }

    /// Why no row can be written now.
    pub(super) fn fault(&self, limits: &JournalConfig) -> Option<JournalFault> {
        if self.held {
            return Some(JournalFault::Held);
        }
        (self.space < limits.reserve_bytes).then_some(JournalFault::NoSpace)
    }

    /// The writer waits for another program.
    pub(super) fn mark_held(&mut self) {
        self.held = true;
        let by = held_file::named(&held_file::suspects(&self.path, &[]));
        tracing::error!(
            code = "journal.held",
            by,
            "another program holds the journal: scans are answered with NodeFault until it is closed, \
             those that were waiting as well; what they were about is decided when they are sent again"
        );
    }

    pub(super) fn mark_free(&mut self) {
        self.held = false;
        tracing::info!(
            code = "journal.free",
            "the journal can be written again: scans are decided again"
        );
    }

    /// A scan was not decided, because its row could not be written or could use up the reserve.
    pub(super) fn log_fault(&mut self, fault: JournalFault, now: BootTime) {
        // A held file is logged when it begins and ends.
        if fault == JournalFault::NoSpace
            && let Some(suppressed) = self.no_space.permit(now)
        {
            tracing::error!(
                code = "journal.no_space",
                free_bytes = self.space,
                suppressed,
                "no space is left for the journal: scans are answered with NodeFault"
            );
        }
    }

    /// Gives this round's rows to the writer, which commits them together.
    pub(super) fn flush(&mut self) {
        if let Some(last) = self.rows.last() {
            self.appended = last.head();
            self.writer.append(std::mem::take(&mut self.rows));
        }
    }

    /// The writer has everything up to `head` on disk: the input that follows.
    pub(super) fn mark_persisted(
        &mut self,
        head: JournalHead,
        space: u64,
    ) -> Result<Input, JournalError> {
        self.space = space;
        self.persisted = head;
        self.last_row.persisted(head);
        let opened = self
            .opening
            .take_if(|(opened, _)| opened.incarnation == head.incarnation);
        self.begin_planned()?;
        Ok(match opened {
            Some((head, rows)) => Input::JournalOpened { head, rows },
            None => Input::RowsWritten {
                incarnation: head.incarnation,
                through: head.seq,
            },
        })
    }

    /// Begins a new file as soon as the old one is on disk to its end, for it is read from there.
    fn begin_planned(&mut self) -> Result<(), JournalError> {
        if self.persisted != self.appended {
            return Ok(());
        }
        let Some(new) = self.planned.take() else {
            return Ok(());
        };
        let old = match self.reader.chains()?.pop() {
            Some(chain) => self.reader.list_rows_after(&chain, 0)?,
            None => Vec::new(),
        };
        let rows = carry_over(self.node, new.incarnation, new.succeeds, new.at, &old);
        if let Some(last) = rows.last() {
            self.appended = last.head();
            self.opening = Some((last.head(), rows.clone()));
            self.writer.append(rows);
        }
        Ok(())
    }
}

/// The first row of the first file. The writer gets it before anything else.
fn begin_first_file(writer: &Journal, node: NodeId, at: Moment) -> RestoredJournal {
    let row = SealedRow::seal(JournalRow {
        incarnation: clock::new_id(),
        seq: 1,
        previous: Hash32::ZERO,
        at,
        entry: JournalEntry::Opened {
            node,
            succeeds: None,
            after_loss: None,
        },
    });
    writer.append(vec![row.clone()]);
    RestoredJournal {
        head: row.head(),
        acknowledged: 0,
        rows: vec![RestoredRow {
            row,
            acknowledged: None,
        }],
    }
}
