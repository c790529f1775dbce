//! The state of the scripted core: one venue's feed, journal and tickets in memory, decided by the
//! product's own pure functions.

use std::collections::BTreeMap;

use eventify_edge::clock::Clock;
use eventify_protocol::{
    ids::{MessageId, ScanId, TicketId},
    keys::KeySet,
    sync::{
        Chunk, Decision, Delta, Digest, Down, FeedEntry, Hello, JournalAck, JournalBatch,
        JournalEntry, JournalHead, Plan, Position, Scan, ScanVerdict, ScannedTicket, SealedRow,
        Subject, SyncPoint, TicketState, Up, UsedBy, Value,
    },
    time::CoreTime,
    verdict::{FirstEntry, Verdict},
};
use eventify_sync::{
    core::{
        feed::{self, FeedHead, NewestRow},
        journal,
        welcome::{self, Known, StoredSnapshot},
    },
    digest,
    token::TokenCheck,
};

use super::{
    provider::Provider,
    scanner_list::ScannerList,
    venue::{DIGEST_KEY, EPOCH, Ticket, Venue, entries, snapshot},
};

/// The venue as the core knows it.
pub(super) struct Ledger {
    pub(super) keys: KeySet,
    pub(super) rows: BTreeMap<Subject, FeedEntry>,
    pub(super) head: FeedHead,
    pub(super) history: Vec<(FeedHead, FeedEntry)>,
    pub(super) digests: BTreeMap<Position, Digest>,
    pub(super) snapshot: Option<(StoredSnapshot, Vec<Chunk>)>,
    pub(super) journal: Vec<SealedRow>,
    pub(super) revoked: bool,
    /// Scans are not answered while this is set.
    pub(super) mute: bool,
    pub(super) scanners: ScannerList,
    pub(super) provider: Provider,
    pub(super) clock: Clock,
}

impl Ledger {
    pub(super) fn new(venue: &Venue, tickets: &[Ticket]) -> Self {
        let mut state = Self {
            keys: venue.keys(),
            rows: BTreeMap::new(),
            head: FeedHead {
                position: Position(0),
                digest: digest::EMPTY,
            },
            history: Vec::new(),
            digests: BTreeMap::from([(Position(0), digest::EMPTY)]),
            snapshot: None,
            journal: Vec::new(),
            revoked: false,
            mute: false,
            scanners: ScannerList::default(),
            provider: Provider::default(),
            clock: Clock::of_this_boot().unwrap(),
        };
        state.append(entries(venue, tickets));
        state
    }

    fn now(&self) -> CoreTime {
        CoreTime(self.clock.wall().0)
    }

    pub(super) fn append(&mut self, entries: Vec<FeedEntry>) -> Delta {
        let from = self.head.position;
        let held = self.rows.iter().map(|(subject, entry)| {
            (
                *subject,
                NewestRow {
                    version: entry.version,
                    row: Some(entry.to_bytes()),
                },
            )
        });
        let written = feed::append(self.head, &DIGEST_KEY, held.collect(), entries);
        self.head = written.head;
        for (head, entry) in &written.entries {
            self.digests.insert(head.position, head.digest);
            match entry.value {
                Some(_) => self.rows.insert(entry.subject, entry.clone()),
                None => self.rows.remove(&entry.subject),
            };
        }
        self.history.extend(written.entries.clone());
        let entries = written
            .entries
            .into_iter()
            .map(|(_, entry)| entry)
            .collect();
        Delta {
            epoch: EPOCH,
            from,
            to: self.head.position,
            entries,
        }
    }

    pub(super) fn receive(&mut self, venue: &Venue, id: MessageId, message: Up) -> Vec<Down> {
        match message {
            Up::Hello(hello) => self.welcome(id, &hello),
            Up::Ask(ask) => {
                let now = self.now();
                let point = SyncPoint {
                    nonce: ask.nonce,
                    node: venue.node,
                    venue: venue.id,
                    epoch: EPOCH,
                    position: self.head.position,
                    digest: self.head.digest,
                    truth: now,
                    core: now,
                };
                vec![Down::Point(point.sign(&venue.sync))]
            }
            Up::Scan(_) if self.mute => vec![],
            Up::Scan(scan) => self.scan(id, &scan),
            Up::Journal(batch) => self.take_journal(venue, &batch),
            Up::Pull(pull) => {
                let Some((_, chunks)) = &self.snapshot else {
                    return vec![];
                };
                let wanted = pull.from..pull.from + pull.count;
                chunks
                    .iter()
                    .filter(|c| wanted.contains(&c.index))
                    .cloned()
                    .map(Down::Chunk)
                    .collect()
            }
            Up::Health(_) => vec![],
            Up::Staff(ask) => self
                .provider
                .answer(&ask)
                .map(Down::Staff)
                .into_iter()
                .collect(),
            Up::Scanners(report) => {
                self.scanners.report = Some(report);
                vec![self.scanners.config(self.revoked)]
            }
        }
    }

    fn welcome(&mut self, id: MessageId, hello: &Hello) -> Vec<Down> {
        let rows: Vec<_> = self.rows.values().cloned().collect();
        let (plan, chunks) = snapshot(&rows);
        let stored = StoredSnapshot {
            id: plan.snapshot,
            position: self.head.position,
            chunks: plan.chunks,
            hash: plan.hash,
        };
        self.snapshot = Some((stored, chunks));
        let known = Known {
            epoch: EPOCH,
            head: self.head.position,
            digest_key: DIGEST_KEY,
            digest_at_node: self.digests.get(&hello.head).copied(),
            oldest: Position(1),
            snapshot: Some(stored),
            acknowledged: self.journal_head(),
        };
        let welcome = welcome::answer(id, hello, &known).unwrap();
        let missed: Vec<_> = self
            .history
            .iter()
            .filter(|(head, _)| head.position > hello.head)
            .map(|(_, entry)| entry.clone())
            .collect();
        let joins = matches!(welcome.plan, Plan::Delta { .. });
        let mut answers = vec![Down::Welcome(welcome), self.scanners.config(self.revoked)];
        if joins && !missed.is_empty() {
            let (from, to) = (hello.head, self.head.position);
            answers.push(Down::Delta(Delta {
                epoch: EPOCH,
                from,
                to,
                entries: missed,
            }));
        }
        answers
    }

    fn scan(&mut self, id: MessageId, scan: &Scan) -> Vec<Down> {
        let at = self.now();
        let checked = self.check(scan);
        let scanned = checked.claimed().and_then(|signed| {
            let row = self.rows.get(&Subject::Ticket(signed.ticket()))?;
            scanned(row)
        });
        let (verdict, news) = match checked {
            TokenCheck::Unreadable { .. } => (Verdict::Unreadable, None),
            TokenCheck::Forged { .. } | TokenCheck::UnknownKey { .. } => (Verdict::Forged, None),
            TokenCheck::Code { ticket: None, .. } => (Verdict::Unreadable, None),
            TokenCheck::Signed(signed)
            | TokenCheck::Code {
                ticket: Some(signed),
                ..
            } => {
                let by = UsedBy {
                    scan: scan.scan,
                    gate: scan.gate,
                    at,
                    confirmed: false,
                };
                self.enter(signed.ticket(), by)
            }
        };
        let verdict = Down::Verdict(ScanVerdict {
            scan: scan.scan,
            verdict,
            at,
            epoch: EPOCH,
            answers: id,
            ticket: scanned,
        });
        std::iter::once(verdict)
            .chain(news.map(Down::Delta))
            .collect()
    }

    /// A scanned text, or a short code with its ticket.
    fn check(&self, scan: &Scan) -> TokenCheck {
        let Some(code) = scan.code else {
            return TokenCheck::of(&scan.token, &self.keys);
        };
        let checked = TokenCheck::Code { code, ticket: None };
        let of_code = |found: &ScannedTicket| {
            let row = &self.rows[&Subject::Ticket(found.ticket)];
            matches!(&row.value, Some(Value::Ticket(entry)) if entry.code == Some(code.tag()))
        };
        let mut tickets = self.rows.values().filter_map(scanned);
        let found = tickets.find(of_code);
        found.map_or(checked, |found| checked.with_ticket(&found))
    }

    /// The first scan of a ticket enters.
    fn enter(&mut self, ticket: TicketId, by: UsedBy) -> (Verdict, Option<Delta>) {
        let subject = Subject::Ticket(ticket);
        let Some(entry) = self.rows.get(&subject).cloned() else {
            return (Verdict::Forged, None);
        };
        let Some(Value::Ticket(mut state)) = entry.value else {
            panic!("a ticket's row")
        };
        match state.state {
            TicketState::Revoked | TicketState::Suspended => (Verdict::Revoked, None),
            TicketState::Used(first) if first.scan != by.scan => {
                let first = FirstEntry {
                    gate: first.gate,
                    at: first.at,
                    confirmed: first.confirmed,
                };
                (Verdict::AlreadyUsed { first }, None)
            }
            TicketState::Used(first) if first.confirmed || !by.confirmed => (Verdict::Admit, None),
            TicketState::Used(_) | TicketState::Valid => {
                state.state = TicketState::Used(by);
                let version = entry.version + 1;
                let value = Some(Value::Ticket(state));
                (
                    Verdict::Admit,
                    Some(self.append(vec![FeedEntry {
                        subject,
                        version,
                        value,
                    }])),
                )
            }
        }
    }

    fn journal_head(&self) -> Option<JournalHead> {
        self.journal.last().map(SealedRow::head)
    }

    fn take_journal(&mut self, venue: &Venue, batch: &JournalBatch) -> Vec<Down> {
        let held = self.journal_head();
        let stored = journal::overlap(held.as_ref(), batch)
            .and_then(|seq| self.journal.get(usize::try_from(seq).unwrap() - 1))
            .map(SealedRow::hash);
        let mut answers = Vec::new();
        if let Ok(accepted) = journal::accept(venue.node, held.as_ref(), stored, batch) {
            for row in accepted.rows {
                answers.extend(self.confirm(&row).map(Down::Delta));
                self.journal.push(row);
            }
        }
        let head = self.journal_head();
        answers.extend(head.map(|head| {
            Down::JournalAck(JournalAck {
                incarnation: head.incarnation,
                seq: head.seq,
                hash: head.hash,
                position: self.head.position,
                epoch: EPOCH,
            })
        }));
        answers
    }

    fn confirm(&mut self, row: &SealedRow) -> Option<Delta> {
        let JournalEntry::Decision(Decision {
            verdict: Verdict::Admit,
            scan,
            gate,
            ticket,
            ..
        }) = &row.row().entry
        else {
            return None;
        };
        let at = self.now();
        self.enter(
            (*ticket)?,
            UsedBy {
                scan: *scan,
                gate: *gate,
                at,
                confirmed: true,
            },
        )
        .1
    }
}

/// What a node is told of a ticket beside a verdict.
fn scanned(row: &FeedEntry) -> Option<ScannedTicket> {
    let (Subject::Ticket(ticket), Some(Value::Ticket(entry))) = (row.subject, &row.value) else {
        return None;
    };
    Some(ScannedTicket::of(ticket, entry))
}

/// The scan ids that a journal admits.
pub(crate) fn admitted(rows: &[SealedRow]) -> Vec<ScanId> {
    rows.iter()
        .filter_map(|row| match &row.row().entry {
            JournalEntry::Decision(decision) if decision.verdict == Verdict::Admit => {
                Some(decision.scan)
            }
            JournalEntry::Decision(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => None,
        })
        .collect()
}
