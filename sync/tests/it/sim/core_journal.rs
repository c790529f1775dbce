//! The core's way of a journal: rows are stored under the node's lock, applied to tickets apart,
//! and acknowledged when the feed has all that came of them.

use std::collections::VecDeque;

use eventify_protocol::{
    ids::{NodeId, ScanId, TicketId},
    sync::{Decision, JournalAck, JournalBatch, JournalEntry, JournalHead, Position, SealedRow},
    time::{CoreInterval, CoreTime},
    verdict::Verdict,
};
use eventify_sync::core::{
    JournalRef, ScanRecord, acts,
    journal::{Ends, Refused, accept, overlap},
    reconcile::{self, Outcome, Row},
};

use super::{clock::Nanos, core::Core, coverage::Coverage, model::Mutation, rng::Rng};

#[derive(Clone, Default)]
pub(crate) struct NodeJournal {
    /// All rows of all incarnations, as they came.
    pub(crate) rows: Vec<SealedRow>,
    pub(crate) head: Option<JournalHead>,
    /// How many of `rows` are applied.
    applied: usize,
    /// Ends that are applied, and the outbox rows that have to be in the feed first.
    pending: VecDeque<(JournalHead, Vec<u64>)>,
    acknowledged: Option<(JournalHead, Position)>,
}

impl NodeJournal {
    /// Of the file that the node opened last.
    pub(crate) fn ends(&self) -> Option<Ends> {
        let stored = self.head?;
        let of_file = self
            .acknowledged
            .filter(|(end, _)| end.incarnation == stored.incarnation);
        let nothing = Ends::nothing(stored.incarnation);
        Some(
            of_file.map_or(Ends { stored, ..nothing }, |(acknowledged, position)| {
                Ends {
                    stored,
                    acknowledged,
                    position,
                }
            }),
        )
    }
}

impl Core {
    /// Takes a batch. What is answered at once, if anything.
    pub(crate) fn journal(
        &mut self,
        node: NodeId,
        batch: &JournalBatch,
        coverage: &mut Coverage,
    ) -> Option<JournalAck> {
        let journal = self.journals.entry(node).or_default();
        let stored = overlap(journal.head.as_ref(), batch).and_then(|seq| {
            let place = (batch.incarnation, seq);
            let held = journal
                .rows
                .iter()
                .find(|row| place == (row.row().incarnation, row.row().seq));
            held.map(SealedRow::hash)
        });
        match accept(node, journal.head.as_ref(), stored, batch) {
            Ok(accepted) => {
                coverage.successions += u64::from(accepted.succeeds.is_some());
                coverage.batches_again += u64::from(accepted.rows.is_empty());
                journal.head = Some(accepted.head);
                journal.rows.extend(accepted.rows);
                let ends = journal.ends().filter(|ends| ends.cover(batch));
                ends.map(|ends| ends.acknowledgement(self.epoch))
            }
            Err(refused) => {
                match &refused {
                    Refused::Future { .. } => coverage.batches_early += 1,
                    Refused::Fork { .. } => coverage.forks_seen += 1,
                    Refused::UnknownIncarnation => coverage.unknown_files += 1,
                    Refused::Malformed(_) | Refused::BrokenChain { .. } => {
                        panic!("a node sent {refused}")
                    }
                }
                let nothing = Ends::nothing(batch.incarnation);
                let ends = journal.ends().unwrap_or(nothing);
                Some(ends.acknowledgement(self.epoch))
            }
        }
    }

    /// Whether rows of a node wait to be applied.
    pub(crate) fn has_unapplied(&self, node: NodeId) -> bool {
        self.journals
            .get(&node)
            .is_some_and(|journal| journal.applied < journal.rows.len())
    }

    /// Applies what was stored, row by row.
    pub(crate) fn apply_rows(
        &mut self,
        node: NodeId,
        at: Nanos,
        rng: &mut Rng,
        coverage: &mut Coverage,
    ) {
        let Some(journal) = self.journals.get_mut(&node) else {
            return;
        };
        let rows = journal.rows[journal.applied..].to_vec();
        journal.applied = journal.rows.len();
        let Some(last) = rows.last().map(SealedRow::head) else {
            return;
        };
        let mut waits = vec![];
        self.read_restarts();
        for row in &rows {
            let ticket = self.apply_row(node, row, at, rng, coverage);
            waits.extend(ticket.into_iter().flat_map(|id| self.unsettled(id)));
        }
        if let Some(journal) = self.journals.get_mut(&node) {
            journal.pending.push_back((last, waits));
        }
    }

    /// What an act's row wants of its ticket.
    fn judge_act(
        &self,
        entry: &JournalEntry,
        made: (JournalRef, Option<CoreInterval>),
    ) -> Option<(TicketId, Outcome)> {
        let standing = |ticket| self.tickets.get(&ticket).map(|held| &held.standing);
        match entry {
            JournalEntry::Overridden(act) => {
                let scanned = (self.scans.get(&act.scan), None);
                let outcome = acts::overridden(made, act, scanned, standing(act.ticket));
                Some((act.ticket, outcome))
            }
            JournalEntry::Undone(act) => {
                let mut outcome = acts::undone(made, act, None, standing(act.ticket));
                if self.mutation == Some(Mutation::CoreIgnoresUndos) {
                    (outcome.effects, outcome.ended) = (vec![], vec![]);
                }
                Some((act.ticket, outcome))
            }
            JournalEntry::Left(act) => {
                let outcome = acts::left(made, act, standing(act.ticket));
                Some((act.ticket, outcome))
            }
            JournalEntry::GateChanged(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_) => None,
        }
    }

    /// The ticket that the row is about. Before the row is acknowledged the feed has to have the
    /// ticket's state, whatever changed it: the node deletes its admissions then.
    fn apply_row(
        &mut self,
        node: NodeId,
        row: &SealedRow,
        at: Nanos,
        rng: &mut Rng,
        coverage: &mut Coverage,
    ) -> Option<TicketId> {
        let source = JournalRef {
            node,
            incarnation: row.row().incarnation,
            seq: row.row().seq,
        };
        let (ticket, outcome) = match &row.row().entry {
            JournalEntry::Opened { .. } | JournalEntry::Searched(_) => return None,
            entry @ (JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_)) => {
                let (ticket, outcome) = self.judge_act(entry, (source, row.row().at.core))?;
                (Some(ticket), outcome)
            }
            JournalEntry::Unreadable { .. } => {
                coverage.unreadable_rows += 1;
                return None;
            }
            JournalEntry::RefusedAgain { .. } => {
                coverage.refused_again += 1;
                return None;
            }
            JournalEntry::Decision(decision) => {
                let mut decision = decision.clone();
                if self.mutation == Some(Mutation::OldRefusalsTakeAnswersBack) {
                    decision.asked_until = Some(CoreTime(i64::MAX));
                }
                let row = Row {
                    source,
                    at: row.row().at.core,
                    decision: &decision,
                };
                // The node may not have learned which ticket a short code stands for.
                let ticket = decision.ticket.or(self.ticket_of_scan(decision.scan));
                let standing = ticket.and_then(|id| self.tickets.get(&id));
                let standing = standing.map(|ticket| &ticket.standing);
                let outcome = reconcile::reconcile(&row, self.scans.get(&decision.scan), standing);
                self.shown(&decision, source);
                (ticket, outcome)
            }
            JournalEntry::Voided {
                scan, decided_at, ..
            } => {
                let id = self.ticket_of_scan(*scan);
                let held = id.and_then(|id| self.tickets.get(&id));
                let standing = held.map(|ticket| &ticket.standing);
                let outcome =
                    reconcile::voided(node, decided_at.or(row.row().at.core), *scan, standing);
                let stands = id.is_some() && outcome.effects.is_empty();
                if !stands
                    && let Some(shown) = self
                        .scans
                        .get_mut(scan)
                        .and_then(|held| held.shown.as_mut())
                {
                    shown.verdict = Verdict::ResyncRequired;
                }
                (id, outcome)
            }
        };
        coverage.count(&outcome);
        let over_at = row.row().at.core.map_or(CoreTime(0), |core| core.earliest);
        for scan in &outcome.ended {
            self.end_scan(*scan, over_at);
        }
        let before = self.tickets.get(&ticket?)?.standing.state();
        self.change(ticket?, &outcome.effects);
        if before != self.tickets[&ticket?].standing.state() {
            self.publish_ticket(ticket?, at, rng);
        }
        ticket
    }

    /// The ticket that has an entry of a scan.
    fn ticket_of_scan(&self, scan: ScanId) -> Option<TicketId> {
        let has_entry = |ticket: &super::core::Ticket| {
            let standing = &ticket.standing;
            standing.check_in.is_some_and(|held| held.scan == scan)
                || standing.conflict(scan).is_some()
        };
        let held = self.tickets.iter().find(|(_, ticket)| has_entry(ticket));
        held.map(|(id, _)| *id)
    }

    fn shown(&mut self, decision: &Decision, source: JournalRef) {
        let record = self
            .scans
            .entry(decision.scan)
            .or_insert_with(|| ScanRecord {
                scanner: decision.scanner,
                gate: decision.gate,
                token: decision.token,
                own: None,
                shown: None,
                ended: None,
            });
        record.show(&decision.verdict, source);
    }

    /// Ends whose effects the feed has by now.
    pub(crate) fn acknowledge(&mut self) -> Vec<(NodeId, JournalAck)> {
        let mut acks = vec![];
        let nodes: Vec<NodeId> = self.journals.keys().copied().collect();
        for node in nodes {
            while let Some((head, waits)) = self.journals[&node].pending.front() {
                if waits.iter().any(|row| self.is_unsettled(*row)) {
                    break;
                }
                let (head, position) = (*head, self.head().position);
                acks.push((
                    node,
                    JournalAck {
                        incarnation: head.incarnation,
                        seq: head.seq,
                        hash: head.hash,
                        position,
                        epoch: self.epoch,
                    },
                ));
                if let Some(journal) = self.journals.get_mut(&node) {
                    journal.acknowledged = Some((head, position));
                    journal.pending.pop_front();
                }
            }
        }
        acks
    }
}
