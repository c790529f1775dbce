//! What a node's disk holds. Only what was synced survives a crash.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, NodeId, PerformanceId, ScanId, SnapshotId, TicketId},
    sync::{
        AdmissionWindow, Chunk, Delta, Digest, DigestKey, Epoch, FeedEntry, JournalAck,
        JournalEntry, JournalHead, Moment, PerformanceState, Position, ScannedTicket, SealedRow,
        Subject, TicketEntry, Value,
    },
};
use eventify_sync::{
    digest,
    edge::{
        ActTicket, DoneAct, PartialSnapshot, Previous, RestoredJournal, RestoredReplica,
        RestoredRow, SavedProof, SnapshotPlan, begin_after_loss,
    },
};

#[derive(Clone)]
pub(crate) struct Disk {
    /// All files, in the order in which they were made; the last is appended to.
    pub(crate) journals: Vec<(IncarnationId, Vec<SealedRow>)>,
    /// Acknowledgements of the last file, by last row.
    acks: BTreeMap<u64, JournalAck>,
    pub(crate) replica: Option<Store>,
    partial: Option<Partial>,
    pub(crate) proof: Option<SavedProof>,
    pub(crate) revoked: bool,
    /// The journal's last row, kept apart from it.
    pub(crate) last_row: JournalHead,
}

/// The replica's file.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) epoch: Epoch,
    pub(crate) position: Position,
    pub(crate) digest: Digest,
    key: DigestKey,
    pub(crate) rows: BTreeMap<Subject, Vec<u8>>,
    /// A row was written wrongly.
    pub(crate) is_damaged: bool,
}

/// A snapshot that is being built.
#[derive(Clone)]
struct Partial {
    plan: SnapshotPlan,
    chunks: Vec<Chunk>,
}

impl Disk {
    pub(crate) fn new(opened: SealedRow) -> Self {
        Self {
            last_row: opened.head(),
            journals: vec![(opened.row().incarnation, vec![opened])],
            acks: BTreeMap::new(),
            replica: None,
            partial: None,
            proof: None,
            revoked: false,
        }
    }

    fn file(&self) -> &(IncarnationId, Vec<SealedRow>) {
        self.journals.last().expect("a journal is never deleted")
    }

    pub(crate) fn rows(&self) -> &[SealedRow] {
        &self.file().1
    }

    pub(crate) fn incarnation(&self) -> IncarnationId {
        self.file().0
    }

    pub(crate) fn append(&mut self, rows: impl IntoIterator<Item = SealedRow>) {
        self.journals
            .last_mut()
            .expect("a journal is never deleted")
            .1
            .extend(rows);
        self.keep_last_row();
    }

    pub(crate) fn open(&mut self, incarnation: IncarnationId, rows: Vec<SealedRow>) {
        self.journals.push((incarnation, rows));
        self.acks.clear();
        self.keep_last_row();
    }

    fn keep_last_row(&mut self) {
        if let Some(row) = self.rows().last() {
            self.last_row = row.head();
        }
    }

    /// The file loses its end, or all of it and the ones before.
    pub(crate) fn shorten(&mut self, left: usize) -> Vec<SealedRow> {
        let incarnation = self.incarnation();
        let kept: Vec<SealedRow> = self.rows().iter().take(left).cloned().collect();
        let cut = self.rows()[kept.len()..].to_vec();
        if kept.is_empty() {
            self.journals.clear();
            self.journals.push((incarnation, vec![]));
        } else if let Some((_, rows)) = self.journals.last_mut() {
            *rows = kept;
        }
        self.acks.split_off(&(left as u64 + 1));
        cut
    }

    /// The journal lacks a row that is known apart from it.
    pub(crate) fn is_short(&self) -> bool {
        self.rows().last().map(SealedRow::head) != Some(self.last_row)
    }

    /// Somebody goes on without what is lost.
    pub(crate) fn begin_after_loss(
        &mut self,
        (node, incarnation): (NodeId, IncarnationId),
        known: JournalHead,
        at: Moment,
    ) {
        let rows = begin_after_loss(node, incarnation, known, at, self.rows());
        self.open(incarnation, rows);
    }

    /// The file began after a loss.
    pub(crate) fn is_after_loss(&self) -> bool {
        let first = self.rows().first().map(|row| &row.row().entry);
        matches!(
            first,
            Some(JournalEntry::Opened {
                after_loss: Some(_),
                ..
            })
        )
    }

    pub(crate) fn mark_acknowledged(&mut self, ack: JournalAck) {
        if ack.incarnation == self.incarnation() {
            self.acks.split_off(&ack.seq);
            self.acks.insert(ack.seq, ack);
        }
    }

    /// The newest decision of a scan in any file, and whether it was taken back.
    /// A ticket as the replica in use has it.
    pub(crate) fn scanned_ticket(&self, ticket: TicketId) -> Option<ScannedTicket> {
        let entry = self.replica.as_ref()?.ticket(ticket)?;
        Some(ScannedTicket::of(ticket, &entry))
    }

    pub(crate) fn previous(&self, scan: ScanId) -> Option<Previous> {
        // Rows that were taken back, and what was done about the scan since.
        let (mut taken_back, mut overridden, mut undone) = (BTreeSet::new(), None, false);
        for row in self
            .journals
            .iter()
            .rev()
            .flat_map(|(_, rows)| rows.iter().rev())
        {
            match &row.row().entry {
                JournalEntry::Voided {
                    scan: of, row: seq, ..
                } if *of == scan => {
                    taken_back.insert((row.row().incarnation, *seq));
                }
                JournalEntry::Overridden(act) if act.scan == scan => {
                    let at = (row.row().incarnation, row.row().seq);
                    if !taken_back.contains(&at) {
                        overridden = overridden.or(Some(row.row().at));
                    }
                }
                JournalEntry::Undone(act) => undone |= act.scan == scan,
                JournalEntry::Decision(decision) if decision.scan == scan => {
                    return Some(Previous {
                        decision: decision.clone(),
                        at: row.row().at,
                        voided: taken_back.contains(&(row.row().incarnation, row.row().seq)),
                        overridden,
                        undone,
                    });
                }
                JournalEntry::Opened { .. }
                | JournalEntry::Decision(_)
                | JournalEntry::Voided { .. }
                | JournalEntry::RefusedAgain { .. }
                | JournalEntry::Unreadable { .. }
                | JournalEntry::Searched(_)
                | JournalEntry::Overridden(_)
                | JournalEntry::Left(_)
                | JournalEntry::GateChanged(_) => {}
            }
        }
        None
    }

    /// The acts of all files, the newest first; none whose row was taken back.
    pub(crate) fn acts(&self) -> impl Iterator<Item = DoneAct> {
        let rows = self.journals.iter().rev();
        let rows = rows.flat_map(|(_, rows)| rows.iter().rev());
        let taken_back: BTreeSet<_> = rows
            .clone()
            .filter_map(|row| {
                let JournalEntry::Voided { row: seq, .. } = row.row().entry else {
                    return None;
                };
                Some((row.row().incarnation, seq))
            })
            .collect();
        let stands = move |row: &&SealedRow| {
            let at = (row.row().incarnation, row.row().seq);
            row.row().entry.act().is_some() && !taken_back.contains(&at)
        };
        rows.filter(stands).map(|row| DoneAct {
            entry: row.row().entry.clone(),
            at: row.row().at,
        })
    }

    /// A ticket's row and the replica's position.
    pub(crate) fn act_ticket(&self, ticket: TicketId) -> Option<ActTicket> {
        let store = self.replica.as_ref()?;
        Some(ActTicket {
            ticket,
            position: store.position,
            entry: store.ticket(ticket)?,
        })
    }

    pub(crate) fn restored_journal(&self) -> RestoredJournal {
        let rows = self.rows();
        let last = self.acks.last_key_value().map_or(0, |(seq, _)| *seq);
        let epoch = self.replica.as_ref().map(|store| store.epoch);
        let position = self
            .replica
            .as_ref()
            .map_or(Position(0), |store| store.position);
        let matters = rows.iter().filter_map(|row| {
            let ack = self.acks.range(row.row().seq..).next().map(|(_, ack)| ack);
            let ours = ack
                .filter(|ack| Some(ack.epoch) == epoch)
                .map(|ack| ack.position);
            (ours.is_none_or(|acknowledged| acknowledged > position)).then(|| RestoredRow {
                row: row.clone(),
                acknowledged: ours,
            })
        });
        let empty = JournalHead::empty(self.incarnation());
        RestoredJournal {
            head: rows.last().map_or(empty, SealedRow::head),
            acknowledged: last,
            rows: matters.collect(),
        }
    }

    pub(crate) fn partial(&self) -> Option<PartialSnapshot> {
        self.partial.as_ref().map(|partial| PartialSnapshot {
            snapshot: partial.plan.snapshot,
            next: u32::try_from(partial.chunks.len()).expect("few chunks"),
        })
    }

    pub(crate) fn begin(&mut self, plan: SnapshotPlan) {
        let chunks = vec![];
        self.partial = Some(Partial { plan, chunks });
    }

    pub(crate) fn store_chunk(&mut self, chunk: Chunk) {
        let ours = |partial: &&mut Partial| partial.plan.snapshot == chunk.snapshot;
        if let Some(partial) = self.partial.as_mut().filter(ours) {
            assert_eq!(
                partial.chunks.len(),
                chunk.index as usize,
                "chunks come in order"
            );
            partial.chunks.push(chunk);
        }
    }

    /// A snapshot under way has a file of its own.
    pub(crate) fn delete_replica(&mut self) {
        self.replica = None;
    }

    pub(crate) fn lose_partial(&mut self) {
        self.partial = None;
    }

    /// Checks and swaps the snapshot in.
    pub(crate) fn finish(&mut self, snapshot: SnapshotId) -> Option<RestoredReplica> {
        let is_this = |partial: &mut Partial| partial.plan.snapshot == snapshot;
        let Partial { plan, chunks } = self.partial.take_if(is_this)?;
        let bytes = chunks.iter().flat_map(|chunk| chunk.bytes.to_vec());
        if Hash32::of(&bytes.collect::<Vec<u8>>()) != plan.hash {
            return None;
        }
        let mut rows = BTreeMap::new();
        for chunk in &chunks {
            let entries: Vec<FeedEntry> = minicbor::decode(&chunk.bytes).ok()?;
            rows.extend(
                entries
                    .iter()
                    .map(|entry| (entry.subject, entry.to_bytes())),
            );
        }
        self.replica = Some(Store {
            epoch: plan.epoch,
            position: plan.position,
            digest: digest::of_rows(&plan.digest_key, rows.values().map(Vec::as_slice)),
            key: plan.digest_key,
            rows,
            is_damaged: false,
        });
        self.replica.as_ref().map(Store::restored)
    }
}

impl Store {
    /// Applies a delta in one transaction.
    pub(crate) fn apply(&mut self, delta: &Delta) -> Vec<Digest> {
        assert_eq!(
            (delta.epoch, delta.from),
            (self.epoch, self.position),
            "deltas join"
        );
        let mut digests = Vec::with_capacity(delta.entries.len());
        for entry in &delta.entries {
            if self
                .entry(entry.subject)
                .is_none_or(|held| held.version < entry.version)
            {
                let old = self.rows.get(&entry.subject).map(Vec::as_slice);
                self.digest = digest::replace(self.digest, &self.key, old, entry);
                match entry.value {
                    Some(_) => self.rows.insert(entry.subject, entry.to_bytes()),
                    None => self.rows.remove(&entry.subject),
                };
            }
            digests.push(self.digest);
        }
        self.position = delta.to;
        digests
    }

    pub(crate) fn adopt(&mut self, epoch: Epoch, key: DigestKey) {
        (self.epoch, self.key) = (epoch, key);
    }

    pub(crate) fn entry(&self, subject: Subject) -> Option<FeedEntry> {
        let row = self.rows.get(&subject)?;
        Some(minicbor::decode(row).expect("rows are entries"))
    }

    pub(crate) fn ticket(&self, ticket: TicketId) -> Option<TicketEntry> {
        match self.entry(Subject::Ticket(ticket))?.value? {
            Value::Ticket(entry) => Some(entry),
            Value::Policy(_)
            | Value::KeySet(_)
            | Value::Node(_)
            | Value::Gate(_)
            | Value::Performance(_)
            | Value::Person(_)
            | Value::Holder(_) => None,
        }
    }

    /// When a performance admits, if it takes place.
    pub(crate) fn window(&self, performance: PerformanceId) -> Option<AdmissionWindow> {
        let value = self.entry(Subject::Performance(performance))?.value?;
        let Value::Performance(entry) = value else {
            return None;
        };
        (entry.state == PerformanceState::Scheduled).then_some(entry.admits)
    }

    pub(crate) fn recomputed(&self) -> Digest {
        digest::of_rows(&self.key, self.rows.values().map(Vec::as_slice))
    }

    /// As a shell finds it at its start.
    pub(crate) fn restored(&self) -> RestoredReplica {
        let small = self
            .rows
            .iter()
            .filter(|(subject, _)| !matches!(subject, Subject::Ticket(_)))
            .map(|(_, row)| minicbor::decode(row).expect("rows are entries"));
        RestoredReplica {
            epoch: self.epoch,
            position: self.position,
            digest: self.recomputed(),
            digest_key: self.key,
            small: small.collect(),
        }
    }
}
