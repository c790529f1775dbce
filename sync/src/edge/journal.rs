//! The chain, and its way to the core: what is acknowledged, what is under way, where it forks
//! (`ADMISSION` 4).

use std::collections::{BTreeMap, VecDeque};

use eventify_protocol::{
    hash::Hash32,
    ids::IncarnationId,
    sync::{
        JournalAck, JournalBatch, JournalEntry, JournalHead, JournalRow, Moment, SealedRow, Up,
    },
    time::BootTime,
};

use super::{Now, Output, RestoredJournal, outbox::Outbox, patience::Patience};

/// Most bytes of rows in one batch.
pub const MAX_BATCH_BYTES: usize = 32 * 1024;
/// Most batches sent and not acknowledged.
const MAX_OPEN_BATCHES: usize = 2;

#[derive(Debug)]
pub(super) struct Journal {
    head: JournalHead,
    /// Rows up to here are on disk; only those are sent.
    persisted: u64,
    acknowledged: u64,
    /// What the core said last that it holds, of whichever file.
    core: JournalHead,
    /// The last row that the core has to know of before it decides again.
    last_own: u64,
    /// The file before this one, while the core may still hold that.
    predecessor: Option<IncarnationId>,
    upload: Upload,
    /// Hashes of the last rows of batches sent, for acknowledgements to come.
    ends: BTreeMap<u64, Hash32>,
    /// An end that the core named, whose hash has to be read first.
    verifying: Option<CoreEnd>,
    /// A failover has lost rows up to here: they are read again, and with them the overlay.
    reread_until: u64,
    fork: Fork,
}

#[derive(Debug)]
struct Upload {
    /// The core has told where it stands in this connection.
    welcomed: bool,
    next: u64,
    reading: bool,
    /// Last rows of the batches under way.
    open: VecDeque<u64>,
    /// When the core acknowledged last, and when everything from there on was sent last.
    progress: BootTime,
    sent: BootTime,
    /// It was sent more than once since: how long an answer takes counts from the first time.
    again: bool,
    patience: Patience,
    /// The core has refused a batch that came before the one in front of it: any of several core
    /// processes may have taken the second one first. When the first is acknowledged, the second
    /// is sent again.
    overtaken: bool,
}

#[derive(Clone, Copy, Debug)]
enum Fork {
    None,
    /// Rows of the old file are still being written.
    Draining(JournalHead),
    /// The shell makes the new file.
    Opening,
}

/// What the core says that it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoreEnd {
    pub(super) ack: JournalAck,
    /// Said in `Welcome`: it holds no more than that. An acknowledgement may just be late.
    pub(super) whole: bool,
}

/// What follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard {
    Nothing,
    /// All up to there is acknowledged.
    Acknowledged(JournalAck),
    /// Less is held than was acknowledged: a failover has lost the rest.
    Rewound(JournalAck),
    /// The core's end is not in this chain.
    Fork {
        core: JournalHead,
        own: JournalHead,
    },
    /// An acknowledgement of another file: an old one, or the core holds another than this. Its
    /// `Welcome` will tell.
    AnotherFile,
}

impl CoreEnd {
    fn head(&self) -> JournalHead {
        JournalHead {
            incarnation: self.ack.incarnation,
            seq: self.ack.seq,
            hash: self.ack.hash,
        }
    }
}

impl Journal {
    pub(super) fn new(restored: &RestoredJournal, now: Now) -> Self {
        let mut journal = Self {
            head: restored.head,
            persisted: restored.head.seq,
            acknowledged: restored.acknowledged,
            core: JournalHead::empty(restored.head.incarnation),
            last_own: 0,
            predecessor: None,
            upload: Upload {
                welcomed: false,
                next: restored.acknowledged + 1,
                reading: false,
                open: VecDeque::new(),
                progress: now.boottime,
                sent: now.boottime,
                again: false,
                patience: Patience::default(),
                overtaken: false,
            },
            ends: BTreeMap::new(),
            verifying: None,
            reread_until: 0,
            fork: Fork::None,
        };
        for row in &restored.rows {
            journal.learn(row.row.row());
        }
        journal
    }

    /// Takes from a row of this file what is to be known of it.
    fn learn(&mut self, row: &JournalRow) {
        match &row.entry {
            JournalEntry::Opened { succeeds, .. } => {
                self.predecessor = succeeds.map(|head| head.incarnation);
            }
            JournalEntry::Decision(decision) => {
                if super::scan::is_own(decision) {
                    self.last_own = self.last_own.max(row.seq);
                }
            }
            JournalEntry::Voided { .. } => self.last_own = self.last_own.max(row.seq),
        }
    }

    pub(super) fn head(&self) -> JournalHead {
        self.head
    }

    pub(super) fn unacknowledged(&self) -> u64 {
        self.head.seq - self.acknowledged
    }

    /// The core has acknowledged every decision that this node made itself.
    pub(super) fn is_settled(&self) -> bool {
        self.last_own <= self.acknowledged && matches!(self.fork, Fork::None)
    }

    /// Nothing can be appended now.
    pub(super) fn is_forking(&self) -> bool {
        !matches!(self.fork, Fork::None)
    }

    /// The overlay lacks rows that a failover has lost, or may have, and that were not read again
    /// yet.
    pub(super) fn is_rereading(&self) -> bool {
        let behind = |end: &CoreEnd| end.ack.seq < self.acknowledged;
        self.upload.next <= self.reread_until || self.verifying.as_ref().is_some_and(behind)
    }

    pub(super) fn append(&mut self, entry: JournalEntry, at: Moment, out: &mut Outbox) -> u64 {
        let (seq, previous) = (self.head.seq + 1, self.head.hash);
        let incarnation = self.head.incarnation;
        let sealed = SealedRow::seal(JournalRow {
            incarnation,
            seq,
            previous,
            at,
            entry,
        });
        self.learn(sealed.row());
        self.head = sealed.head();
        out.push(Output::Append(sealed));
        seq
    }

    /// False if that was another file.
    pub(super) fn persisted(&mut self, incarnation: IncarnationId, through: u64) -> bool {
        let ours = incarnation == self.head.incarnation;
        if ours {
            self.persisted = self.persisted.max(through.min(self.head.seq));
        }
        ours
    }

    pub(super) fn disconnected(&mut self) {
        self.upload.welcomed = false;
        self.verifying = None;
        self.upload.patience = Patience::default();
        self.upload.again = false;
        self.restart_upload();
    }

    /// The core named its end of this journal.
    pub(super) fn heard(&mut self, end: CoreEnd, now: Now, out: &mut Outbox) -> Heard {
        if self.is_forking() {
            return Heard::Nothing;
        }
        self.upload.welcomed |= end.whole;
        self.core = end.head();
        if end.ack.incarnation != self.head.incarnation {
            return self.heard_of_another(end, now);
        }
        let seq = end.ack.seq;
        if seq > self.persisted {
            return self.forked(&end);
        }
        match self.hash_at(seq) {
            Some(hash) if hash == end.ack.hash => self.settle(&end, now),
            Some(_) => self.forked(&end),
            None if seq <= self.acknowledged && !end.whole => Heard::Nothing,
            None => {
                self.verifying = Some(end);
                self.read(seq, seq, out);
                Heard::Nothing
            }
        }
    }

    fn heard_of_another(&mut self, end: CoreEnd, now: Now) -> Heard {
        if !end.whole {
            return Heard::AnotherFile;
        }
        if Some(end.ack.incarnation) != self.predecessor {
            return self.forked(&end);
        }
        let nothing = JournalHead::empty(self.head.incarnation);
        let ack = JournalAck {
            incarnation: nothing.incarnation,
            seq: nothing.seq,
            hash: nothing.hash,
            ..end.ack
        };
        self.settle(&CoreEnd { ack, ..end }, now)
    }

    fn forked(&self, end: &CoreEnd) -> Heard {
        Heard::Fork {
            core: end.head(),
            own: self.head,
        }
    }

    fn hash_at(&self, seq: u64) -> Option<Hash32> {
        match seq {
            0 => Some(Hash32::ZERO),
            _ if seq == self.head.seq => Some(self.head.hash),
            _ => self.ends.get(&seq).copied(),
        }
    }

    /// The end is in this chain.
    fn settle(&mut self, end: &CoreEnd, now: Now) -> Heard {
        let seq = end.ack.seq;
        if seq < self.acknowledged {
            if !end.whole {
                return Heard::Nothing;
            }
            // Whoever made the lost decisions: the core has to know of them again.
            self.last_own = self.last_own.max(self.acknowledged);
            self.reread_until = self.reread_until.max(self.acknowledged);
            self.acknowledged = seq;
            self.restart_upload();
            return Heard::Rewound(end.ack);
        }
        if seq == self.acknowledged {
            self.upload.overtaken |= !self.upload.open.is_empty();
        } else {
            self.acknowledged = seq;
            let took = now.boottime.since(self.upload.progress);
            self.upload.patience.rewarded(took);
            self.upload.again = false;
            (self.upload.progress, self.upload.sent) = (now.boottime, now.boottime);
            if std::mem::take(&mut self.upload.overtaken) {
                self.restart_upload();
            }
        }
        self.upload.open.retain(|last| *last > seq);
        self.ends = self.ends.split_off(&seq);
        if self.upload.next <= seq {
            self.upload.next = seq + 1;
            self.upload.reading = false;
        }
        Heard::Acknowledged(end.ack)
    }

    fn restart_upload(&mut self) {
        self.upload.next = self.acknowledged + 1;
        self.upload.reading = false;
        self.upload.open.clear();
        self.upload.overtaken = false;
    }

    /// Reads the next rows to send, if there are any and the window allows.
    pub(super) fn pump(&mut self, now: Now, out: &mut Outbox) {
        let upload = &self.upload;
        let may = upload.welcomed && !self.is_forking() && self.verifying.is_none();
        if may
            && !upload.reading
            && upload.open.len() < MAX_OPEN_BATCHES
            && upload.next <= self.persisted
        {
            if upload.open.is_empty() && !upload.again {
                (self.upload.progress, self.upload.sent) = (now.boottime, now.boottime);
            }
            self.upload.reading = true;
            self.read(self.upload.next, self.persisted, out);
        }
    }

    fn read(&self, from: u64, through: u64, out: &mut Outbox) {
        let incarnation = self.head.incarnation;
        out.push(Output::ReadRows {
            incarnation,
            from,
            through,
            max_bytes: MAX_BATCH_BYTES,
        });
    }

    /// Rows came from the disk: to check what the core said, or to send. Rows that are not there
    /// any more were removed after their time; a core that has forgotten them can't go on with this
    /// file.
    pub(super) fn rows(
        &mut self,
        (incarnation, from): (IncarnationId, u64),
        rows: &[SealedRow],
        now: Now,
        out: &mut Outbox,
    ) -> Heard {
        if incarnation != self.head.incarnation || self.is_forking() {
            return Heard::Nothing;
        }
        let first = rows.first().filter(|row| row.row().seq == from);
        if let Some(end) = self.verifying.take_if(|end| end.ack.seq == from) {
            return match first {
                Some(row) if row.hash() == end.ack.hash => self.settle(&end, now),
                Some(_) | None => self.forked(&end),
            };
        }
        if !self.upload.reading || from != self.upload.next {
            return Heard::Nothing;
        }
        match (first, rows.last()) {
            (Some(_), Some(last)) => {
                self.upload.reading = false;
                self.send(rows, last, out);
                Heard::Nothing
            }
            (None, Some(_)) => Heard::Fork {
                core: self.core,
                own: self.head,
            },
            // Not there yet: asked for again in a while.
            (_, None) => Heard::Nothing,
        }
    }

    fn send(&mut self, rows: &[SealedRow], last: &SealedRow, out: &mut Outbox) {
        let (incarnation, from) = (self.head.incarnation, self.upload.next);
        let bytes = rows.iter().map(|row| row.bytes().to_vec().into()).collect();
        out.send(Up::Journal(JournalBatch {
            incarnation,
            from,
            rows: bytes,
        }));
        let end = last.row().seq;
        self.ends.insert(end, last.hash());
        self.upload.open.push_back(end);
        self.upload.next = end + 1;
    }

    pub(super) fn tick(&mut self, now: Now) {
        if self.resends_at().is_some_and(|at| at <= now.boottime) {
            self.restart_upload();
            self.upload.patience.in_vain();
            self.upload.sent = now.boottime;
            self.upload.again = true;
        }
    }

    /// Without progress for so long, everything from the acknowledged end on is sent again.
    pub(super) fn resends_at(&self) -> Option<BootTime> {
        let under_way = self.upload.reading || !self.upload.open.is_empty();
        (self.upload.welcomed && under_way)
            .then(|| self.upload.sent.plus(self.upload.patience.wait()))
    }

    /// The core's end is not in this chain: no row is appended any more but those that take back
    /// what is being written.
    pub(super) fn begin_fork(&mut self, core: JournalHead) {
        self.fork = Fork::Draining(core);
    }

    /// When all rows of the old file are on disk, a new one is begun.
    pub(super) fn pump_fork(&mut self, at: Moment, out: &mut Outbox) {
        let Fork::Draining(succeeds) = self.fork else {
            return;
        };
        if self.persisted == self.head.seq {
            self.fork = Fork::Opening;
            let incarnation = out.random.incarnation();
            out.push(Output::NewJournal {
                incarnation,
                succeeds,
                at,
            });
        }
    }

    pub(super) fn opened(&mut self, head: JournalHead, rows: &[SealedRow]) {
        self.head = head;
        self.persisted = head.seq;
        self.acknowledged = 0;
        self.last_own = 0;
        self.reread_until = 0;
        self.ends.clear();
        self.verifying = None;
        self.fork = Fork::None;
        self.restart_upload();
        for row in rows {
            self.learn(row.row());
        }
    }
}
