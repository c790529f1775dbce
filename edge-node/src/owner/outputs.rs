//! Carrying out what the machine wants done, in its order.

use eventify_protocol::{
    ids::{IncarnationId, ScanId, TicketId},
    sync::{Envelope, JournalHead, Moment, Sender, Up},
};
use eventify_sync::edge::{Alarm, Input, Output, carry_over};

use super::{Fatal, Owner, PUBLISH_DELAY};
use crate::store::SnapshotPlan;

/// See `Output::NewJournal`.
#[derive(Debug)]
pub(super) struct NewChain {
    incarnation: IncarnationId,
    succeeds: JournalHead,
    carry_from: u64,
    at: Moment,
}

impl Owner {
    /// Until the machine wants nothing more; then the rows of this round go to the journal.
    pub(super) fn carry_out(&mut self) -> Result<(), Fatal> {
        while let Some(output) = self.machine.poll_output() {
            self.act(output)?;
        }
        self.flush_rows();
        Ok(())
    }

    fn flush_rows(&mut self) {
        if let Some(last) = self.rows.last() {
            self.appended = last.head();
            self.journal.append(std::mem::take(&mut self.rows));
        }
    }

    /// Begins a new chain once the old one is on disk to its end, for its rows are read from there.
    pub(super) fn begin_wanted_chain(&mut self) -> Result<(), Fatal> {
        if self.persisted != self.appended {
            return Ok(());
        }
        let Some(wanted) = self.chain_wanted.take() else {
            return Ok(());
        };
        let NewChain {
            incarnation,
            succeeds,
            carry_from,
            at,
        } = wanted;
        let old = match self.journal_reader.chains()?.pop() {
            Some(chain) => self
                .journal_reader
                .rows_after(&chain, carry_from.saturating_sub(1))?,
            None => Vec::new(),
        };
        let rows = carry_over(self.facts.node, incarnation, succeeds, at, &old);
        if let Some(last) = rows.last() {
            self.appended = last.head();
            self.opening = Some((last.head(), rows.clone()));
            self.journal.append(rows);
        }
        Ok(())
    }

    fn act(&mut self, output: Output) -> Result<(), Fatal> {
        match output {
            Output::Send { id, message } => {
                let mut envelope = Envelope::new(id, Sender::Node(self.facts.node), message);
                envelope.trace = trace(&envelope.body);
                self.link.say(envelope);
            }
            Output::Lookup {
                scan,
                ticket,
                generation,
            } => self.look_up(scan, ticket, generation),
            Output::Append(row) => self.rows.push(row),
            Output::Answer { request, reply } => {
                if let Some(waiter) = self.waiting.remove(&request) {
                    waiter.answer(reply);
                }
            }
            Output::ReadRows {
                incarnation,
                from,
                through,
                max_bytes,
            } => {
                let rows = self
                    .journal_reader
                    .rows_from(incarnation, from, through, max_bytes)?;
                self.feed(Input::Rows {
                    incarnation,
                    from,
                    rows,
                });
            }
            Output::Acknowledged(ack) => self.journal.acknowledge(ack),
            Output::NewJournal {
                incarnation,
                succeeds,
                carry_from,
                at,
            } => {
                self.flush_rows();
                self.chain_wanted = Some(NewChain {
                    incarnation,
                    succeeds,
                    carry_from,
                    at,
                });
                self.begin_wanted_chain()?;
            }
            Output::Alarm(alarm) => raise(&alarm),
            Output::Changed => {
                let at = tokio::time::Instant::now() + PUBLISH_DELAY;
                self.publish_at.get_or_insert(at);
            }
            Output::Apply(_)
            | Output::Adopt { .. }
            | Output::BeginSnapshot { .. }
            | Output::StoreChunk(_)
            | Output::FinishSnapshot { .. }
            | Output::DropReplica { .. }
            | Output::SaveProof(_)
            | Output::SaveRevoked(_) => self.act_on_replica(output),
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other acts are not the replica's"
    )]
    fn act_on_replica(&mut self, output: Output) {
        match output {
            Output::Apply(delta) => {
                self.replica_backlog += 1;
                self.replica.apply(delta);
            }
            Output::Adopt { epoch, digest_key } => self.replica.adopt(epoch, digest_key),
            Output::BeginSnapshot {
                snapshot,
                epoch,
                position,
                chunks,
                hash,
                digest_key,
            } => {
                let plan = SnapshotPlan {
                    snapshot,
                    epoch,
                    position,
                    chunks,
                    hash,
                    digest_key,
                };
                self.replica.begin_snapshot(plan);
            }
            Output::StoreChunk(chunk) => self.replica.store_chunk(chunk),
            Output::FinishSnapshot { snapshot } => {
                self.replica_backlog += 1;
                self.replica.finish_snapshot(snapshot);
            }
            Output::DropReplica { why } => {
                tracing::warn!(code = "replica_dropped", why, "the replica is fetched anew");
                self.replica_backlog += 1;
                self.replica.discard();
            }
            Output::SaveProof(proof) => self.replica.save_proof(proof),
            Output::SaveRevoked(revoked) => self.replica.save_revoked(revoked),
            _ => {}
        }
    }

    fn look_up(&mut self, scan: ScanId, ticket: TicketId, generation: u32) {
        match self.replica_reader.lookup(ticket) {
            Ok((position, ticket)) => {
                self.feed(Input::Found {
                    scan,
                    generation,
                    position,
                    ticket,
                });
            }
            Err(error) => {
                tracing::error!(code = "replica_failed", %error, "thrown away, fetched anew");
                self.replica_backlog += 1;
                self.replica.discard();
                self.feed(Input::ReplicaFailed);
            }
        }
    }
}

/// The scan id is the trace of a scan through every hop (W3C Trace Context, `traceparent`).
fn trace(message: &Up) -> Option<String> {
    match message {
        Up::Scan(scan) => {
            let id = scan.scan.as_uuid().simple().to_string();
            Some(format!("00-{id}-{}-01", &id[16..]))
        }
        Up::Hello(_) | Up::Ask(_) | Up::Journal(_) | Up::Health(_) | Up::Pull(_) => None,
    }
}

fn raise(alarm: &Alarm) {
    tracing::error!(code = alarm.code(), ?alarm, "alarm");
}
