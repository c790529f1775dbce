//! Carries out what the machine wants done, in its order.

use eventify_protocol::sync::{Envelope, Sender, Up};
use eventify_sync::edge::{Alarm, Output, Stop};

use super::{Fatal, Owner};
use crate::journal::{JournalError, Loss};

impl Owner {
    /// Until the machine wants nothing more; then the rows of this round go to the journal.
    pub(super) fn carry_out(&mut self) -> Result<(), Fatal> {
        while let Some(output) = self.machine.poll_output() {
            let input = match output {
                Output::Send { id, message } => {
                    let mut envelope = Envelope::new(id, Sender::Node(self.node), message);
                    envelope.trace = trace(&envelope.body);
                    self.link.send(envelope);
                    None
                }
                Output::Reply { request, reply } => {
                    if let Some(waiter) = self.waiting.remove(&request) {
                        waiter.reply(reply);
                    }
                    None
                }
                Output::Journal(output) => self.journal.perform(output)?,
                Output::Replica(output) => {
                    let end = Some(self.journal.persisted()).filter(|end| end.seq > 0);
                    self.replica.perform(output, end)
                }
                Output::Stop(stop) => return Err(self.stopped(stop)),
                Output::Alarm(alarm) => {
                    log_alarm(&alarm);
                    None
                }
                Output::StatusChanged => {
                    self.status.schedule();
                    None
                }
            };
            if let Some(input) = input {
                self.step(input);
            }
        }
        self.journal.flush();
        Ok(())
    }
}

impl Owner {
    /// The machine does not go on without a person's word.
    fn stopped(&mut self, stop: Stop) -> Fatal {
        match stop {
            Stop::Duplicate => {
                self.journal.flush();
                Fatal::Duplicate(self.node)
            }
            Stop::JournalBehind { core, own } => {
                self.journal.stop_behind(core);
                let own = Some(own);
                Fatal::Behind(JournalError::Behind(Loss { known: core, own }))
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
        Up::Hello(_)
        | Up::Ask(_)
        | Up::Journal(_)
        | Up::Health(_)
        | Up::Pull(_)
        | Up::Scanners(_)
        | Up::Staff(_) => None,
    }
}

fn log_alarm(alarm: &Alarm) {
    match alarm {
        Alarm::DigestMismatch { position } => tracing::error!(
            code = "replica.digest_mismatch",
            position = position.0,
            "the replica differs from the core's feed"
        ),
        Alarm::ReplicaDamaged => tracing::error!(
            code = "replica.damaged",
            "the replica's file is damaged: check the disk if this happens again"
        ),
        Alarm::SnapshotRefused => tracing::error!(
            code = "snapshot.refused",
            "a snapshot could not be stored or was not what the core announced"
        ),
        Alarm::JournalFork { core, own } => tracing::error!(
            code = "journal.forked",
            ?core,
            ?own,
            "the core holds journal rows that this node does not have: was an old disk put back? \
             A new journal file is begun, the old one is kept"
        ),
        Alarm::ClockNotTrusted => tracing::error!(
            code = "clock.not_trusted",
            "the wall clock was set or the machine was paused: until the core answers, the node does \
             not decide alone"
        ),
        Alarm::EpochChanged { from, to } => tracing::error!(
            code = "core.database_changed",
            ?from,
            ?to,
            "the core answers from another database: it has failed over or was restored"
        ),
        Alarm::UnknownDigestAlgorithm(algorithm) => tracing::error!(
            code = "core.digest_algorithm_unknown",
            algorithm,
            "the core uses a digest algorithm that this release does not have: update the node"
        ),
        Alarm::Revoked => tracing::error!(
            code = "node.revoked",
            "the core has revoked this node: it admits nobody"
        ),
        Alarm::Voided(scan_id) => tracing::error!(
            code = "scan.decision_voided",
            %scan_id,
            "the cache became too old while the decision was written, so it was not shown: the disk \
             is slow"
        ),
    }
}
