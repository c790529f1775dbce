//! Carrying out what the machine wants done, in its order.

use eventify_protocol::{
    ids::{ScanId, TicketId},
    sync::{Envelope, Sender, Up},
};
use eventify_sync::edge::{Alarm, Input, Output};

use super::{Fatal, Owner, log::NewChain};
use crate::store::SnapshotPlan;

impl Owner {
    /// Until the machine wants nothing more; then the rows of this round go to the journal.
    pub(super) fn carry_out(&mut self) -> Result<(), Fatal> {
        while let Some(output) = self.machine.poll_output() {
            self.act(output)?;
        }
        self.log.flush();
        Ok(())
    }

    fn act(&mut self, output: Output) -> Result<(), Fatal> {
        match output {
            Output::Send { id, message } => {
                let mut envelope = Envelope::new(id, Sender::Node(self.names.0), message);
                envelope.trace = trace(&envelope.body);
                self.link.say(envelope);
            }
            Output::Lookup {
                scan,
                ticket,
                generation,
            } => self.look_up(scan, ticket, generation),
            Output::Append(row) => self.log.add(row),
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
                    .log
                    .reader
                    .rows_from(incarnation, from, through, max_bytes)?;
                self.feed(Input::Rows {
                    incarnation,
                    from,
                    rows,
                });
            }
            Output::Acknowledged(ack) => self.log.journal.acknowledge(ack),
            Output::NewJournal {
                incarnation,
                succeeds,
                at,
            } => self.log.begin_chain(NewChain {
                incarnation,
                succeeds,
                at,
            })?,
            Output::Alarm(alarm) => raise(&alarm),
            Output::Changed => self.screens.changed(),
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
                self.cache.expect_notice();
                self.cache.replica.apply(delta);
            }
            Output::Adopt { epoch, digest_key } => self.cache.replica.adopt(epoch, digest_key),
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
                let (position, chunks) = (position.0, chunks);
                tracing::info!(
                    code = "snapshot_begun",
                    position,
                    chunks,
                    "a replica is fetched"
                );
                self.cache.replica.begin_snapshot(plan);
            }
            Output::StoreChunk(chunk) => self.cache.replica.store_chunk(chunk),
            Output::FinishSnapshot { snapshot } => {
                tracing::info!(code = "snapshot_fetched", "the replica is built");
                self.cache.expect_notice();
                self.cache.replica.finish_snapshot(snapshot);
            }
            Output::DropReplica { why } => {
                tracing::warn!(code = "replica_dropped", why, "the replica is fetched anew");
                self.cache.discard();
            }
            Output::SaveProof(proof) => self.cache.replica.save_proof(proof),
            Output::SaveRevoked(revoked) => self.cache.replica.save_revoked(revoked),
            _ => {}
        }
    }

    fn look_up(&mut self, scan: ScanId, ticket: TicketId, generation: u32) {
        match self.cache.lookup(ticket) {
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
                self.cache.discard();
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
