//! What the node finds on its disk, and what becomes of what it writes.

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    ids::{BootId, IncarnationId, ScanId, TicketId},
    sync::{
        AdmissionWindow, CategoryName, Decision, FeedEntry, GateEntry, JournalEntry, NodeEntry,
        PerformanceEntry, PerformanceState, PolicyEntry, Position, Reentry, SealedRow, Subject,
        TicketEntry, TicketState, Up, Value,
    },
    token::TokenHash,
};
use eventify_sync::edge::{
    Input, JournalOutput, Machine, Output, ReplicaOutput, Restored, RestoredJournal,
    RestoredReplica, RestoredRow, SavedProof, begin_after_loss,
};
use uuid::Uuid;

use super::{ANOTHERS_GATE, EPOCH, GATE, KEY, LIMIT_MS, NODE, TONIGHT, VENUE, Venue, digest_at};

impl Venue {
    pub(crate) fn rows(&self) -> &[SealedRow] {
        &self.rows
    }

    /// The decisions on disk, or on their way there.
    pub(crate) fn decisions(&self) -> Vec<Decision> {
        let decisions = self.rows.iter().filter_map(|row| match &row.row().entry {
            JournalEntry::Decision(decision) => Some(decision.clone()),
            JournalEntry::Opened { .. }
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => None,
        });
        decisions.collect()
    }

    /// The slow sync is done at last.
    pub(crate) fn sync(&mut self) {
        let through = self.rows.len() as u64;
        if through > self.unsynced {
            self.unsynced = through;
            let incarnation = self.rows[0].row().incarnation;
            self.step(Input::RowsWritten {
                incarnation,
                through,
            });
        }
    }

    /// This node's replica as another one would be at a position.
    pub(crate) fn replica_at(&self, position: u64) -> RestoredReplica {
        let restored = restored(self.boot, &self.rows, self.acked, self.proof, position);
        restored.replica.expect("there is one")
    }

    /// The replica in use is one of this position, by which all tickets are valid.
    pub(crate) fn replace_tickets(&mut self, position: u64) {
        self.position = position;
        for (_, state) in &mut self.tickets {
            *state = TicketState::Valid;
        }
    }

    /// The file lost its end behind row `left`, and somebody has gone on without that: the process
    /// starts again in the same boot.
    pub(crate) fn restart_after_loss(&mut self, left: usize) {
        let known = self.rows.last().map(SealedRow::head).expect("a row");
        let at = self.rows[0].row().at;
        let incarnation = IncarnationId(Uuid::from_u128(88));
        self.rows = begin_after_loss(NODE, incarnation, known, at, &self.rows[..left]);
        (self.acked, self.unsynced) = (0, self.rows.len() as u64);
        self.restart(10);
    }

    /// The process ends and starts again from its disk, in this boot or in another.
    pub(crate) fn restart(&mut self, boot: u128) {
        self.boot = BootId(Uuid::from_u128(boot));
        let mut restored = restored(self.boot, &self.rows, self.acked, self.proof, self.position);
        restored.partial = self.partial;
        restored.configured_limit = self.configured_limit;
        restored.revoked = self.revoked;
        self.machine = Machine::new(restored, self.now);
        self.sent.clear();
        self.carry_out();
    }

    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { id, message } => {
                    if let Up::Scan(scan) = &message {
                        self.questions.push((scan.scan, id));
                    }
                    self.sent.push_back((id, message));
                }
                Output::Reply { reply, .. } => self.replies.push(reply),
                Output::Journal(output) => self.use_journal(output),
                Output::Replica(output) => self.use_replica(output),
                Output::Alarm(_) | Output::Stop(_) | Output::StatusChanged => {
                    self.outputs.push(output);
                }
            }
        }
        if !self.slow_disk {
            self.sync();
        }
    }

    fn use_journal(&mut self, output: JournalOutput) {
        match output {
            JournalOutput::Append(row) => self.rows.push(*row),
            JournalOutput::ReadRows {
                incarnation,
                from,
                through,
                max_bytes,
            } => self.read_rows(incarnation, (from, through), max_bytes),
            JournalOutput::MarkAcknowledged(ack) => self.acked = ack.seq,
            JournalOutput::BeginFile { .. } => self.outputs.push(output.into()),
        }
    }

    fn use_replica(&mut self, output: ReplicaOutput) {
        match output {
            ReplicaOutput::ReadTicket {
                scan,
                ticket,
                generation,
            } => self.read_ticket(scan, ticket, generation),
            ReplicaOutput::UpdateProof(proof) => self.proof = Some(proof),
            ReplicaOutput::UpdateRevoked(revoked) => self.revoked = revoked,
            ReplicaOutput::Apply(delta) => {
                let positions = delta.from.0 + 1..=delta.to.0;
                self.position = delta.to.0;
                let applied = Input::DeltaApplied {
                    position: delta.to,
                    digests: positions.map(digest_at).collect(),
                };
                self.machine.handle(applied, self.now);
            }
            ReplicaOutput::Adopt { .. }
            | ReplicaOutput::BeginSnapshot(_)
            | ReplicaOutput::StoreChunk(_)
            | ReplicaOutput::FinishSnapshot { .. }
            | ReplicaOutput::Discard { .. } => self.outputs.push(output.into()),
        }
    }

    /// As many whole rows as fit, but one at least.
    fn read_rows(
        &mut self,
        incarnation: IncarnationId,
        (from, through): (u64, u64),
        max_bytes: usize,
    ) {
        if from >= self.unread_from {
            return;
        }
        let first = from.max(self.retired + 1);
        let wanted = |row: &&SealedRow| (first..=through).contains(&row.row().seq);
        let mut bytes = 0;
        let fits = |row: &&SealedRow| {
            bytes += row.bytes().len();
            bytes <= max_bytes || bytes == row.bytes().len()
        };
        let rows = self.rows.iter().filter(wanted).take_while(fits);
        let rows = rows.cloned().collect();
        self.machine.handle(
            Input::RowsRead {
                incarnation,
                from,
                rows,
            },
            self.now,
        );
    }

    fn read_ticket(&mut self, scan: ScanId, ticket: TicketId, generation: u32) {
        if self.mute_disk {
            return;
        }
        let held = self.tickets.iter().find(|(held, _)| *held == ticket);
        let ticket = held.map(|(ticket, state)| entry(*ticket, *state));
        let position = Position(self.position - self.replica_lag);
        self.machine.handle(
            Input::TicketRead {
                scan,
                generation,
                position,
                ticket,
            },
            self.now,
        );
    }
}

/// A feed entry with a ticket's new state.
pub(crate) fn news(number: u8, state: TicketState) -> FeedEntry {
    let ticket = super::ticket_id(number);
    FeedEntry {
        subject: Subject::Ticket(ticket),
        version: 2,
        value: Some(Value::Ticket(entry(ticket, state))),
    }
}

pub(super) fn entry(ticket: TicketId, state: TicketState) -> TicketEntry {
    let number = u8::try_from(ticket.0.as_u128() - 0x100).expect("a test's ticket");
    TicketEntry {
        token: TokenHash(Hash32([number; 32])),
        performance: TONIGHT,
        category: "STALLS".parse().expect("a category"),
        state,
        place: Some(format!("A-{number}")),
        code: None,
    }
}

/// Played for as long as any story takes.
pub(crate) fn tonight() -> PerformanceEntry {
    PerformanceEntry {
        title: "Hamlet".to_owned(),
        doors_at: 0,
        starts_at: 3_600,
        ends_at: None,
        admits: AdmissionWindow {
            from: 0,
            until: 4_000_000_000,
        },
        state: PerformanceState::Scheduled,
        categories: Some(vec![CategoryName {
            code: "STALLS".parse().expect("a category"),
            name: "Stalls, reduced".to_owned(),
        }]),
        reentry: Some(Reentry::Allowed),
        restarts_at: None,
    }
}

pub(super) fn restored(
    boot: BootId,
    rows: &[SealedRow],
    acknowledged: u64,
    proof: Option<SavedProof>,
    position: u64,
) -> Restored {
    let small = [
        (
            Subject::Policy,
            Value::Policy(PolicyEntry {
                max_cache_age_ms: LIMIT_MS,
                ..PolicyEntry::default()
            }),
        ),
        (
            Subject::Node(NODE),
            Value::Node(NodeEntry {
                label: "edge".to_owned(),
                gates: vec![GATE],
                revoked: false,
            }),
        ),
        (
            Subject::Gate(GATE),
            Value::Gate(GateEntry {
                name: "North".to_owned(),
                performances: vec![],
                categories: vec![],
            }),
        ),
        (
            Subject::Gate(ANOTHERS_GATE),
            Value::Gate(GateEntry {
                name: "South".to_owned(),
                performances: vec![],
                categories: vec![],
            }),
        ),
    ];
    let small = small
        .into_iter()
        .chain([(Subject::Performance(TONIGHT), Value::Performance(tonight()))]);
    let entry = |(subject, value)| FeedEntry {
        subject,
        version: 1,
        value: Some(value),
    };
    let open = rows.iter().filter(|row| row.row().seq > acknowledged);
    Restored {
        node: NODE,
        venue: VENUE,
        boot,
        software: "test".to_owned(),
        configured_limit: Duration::from_secs(300),
        entropy: [9; 32],
        journal: RestoredJournal {
            head: rows.last().map(SealedRow::head).expect("a row"),
            acknowledged,
            rows: open
                .map(|row| RestoredRow {
                    row: row.clone(),
                    acknowledged: None,
                })
                .collect(),
        },
        replica: Some(RestoredReplica {
            epoch: EPOCH,
            position: Position(position),
            digest: digest_at(position),
            digest_key: KEY,
            small: small.map(entry).collect(),
        }),
        partial: None,
        proof,
        revoked: false,
    }
}
