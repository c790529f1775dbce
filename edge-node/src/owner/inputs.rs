//! What others send to the owner, as inputs of the machine.

use std::sync::Arc;

use eventify_protocol::{
    keys::{KeySet, SignedKeySet},
    lan::NodeStatus,
    sync::{Down, Envelope, Sender, Up},
};
use eventify_sync::edge::{CoreMessage, Input, Previous, Reply, RequestId, ScanRequest};
use tokio::sync::oneshot;

use super::{
    Fatal, LineEvent, Owner,
    handle::WaitingScan,
    replica::{ReadFailed, Recomputation},
};
use crate::{clock, journal, link::LinkEvent, store};

impl Owner {
    /// A scan of the LAN API.
    pub(super) fn accept(&mut self, waiting: WaitingScan) -> Result<(), Fatal> {
        let WaitingScan {
            scan,
            checked,
            waiter,
        } = waiting;
        let previous = self.journal.reader.find_decision(scan.scan)?;
        // A verdict that stands is repeated without a new row.
        let needs_row = !previous.as_ref().is_some_and(Previous::stands);
        // One that is being decided has its row on the way, and gets that answer.
        if needs_row
            && let Some(fault) = self.journal.fault(&self.limits)
            && !self.machine.is_deciding(scan.scan)
        {
            self.journal.log_fault(fault, self.clock.boottime());
            let outcome = self.machine.node_fault(scan.scan, self.now());
            waiter.reply(Reply::Verdict(Box::new(outcome)));
            return Ok(());
        }
        let found = match self.replica.find_scanned(&checked) {
            Ok(found) => found,
            Err(ReadFailed) => {
                self.step(Input::ReplicaFailed);
                None
            }
        };
        let checked = match &found {
            Some(found) => checked.with_ticket(found),
            None => checked,
        };
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.waiting.insert(request, waiter);
        self.step(Input::Scan(Box::new(ScanRequest {
            request,
            scan: scan.scan,
            scanner: scan.scanner,
            gate: scan.gate,
            person: scan.person,
            token: scan.token,
            checked,
            found,
            previous,
        })));
        Ok(())
    }

    pub(super) fn reply_status(&self, request: oneshot::Sender<NodeStatus>) {
        // The caller may have gone.
        drop(request.send(self.current_status()));
    }

    pub(super) fn current_status(&self) -> NodeStatus {
        let status = self.machine.status(self.now());
        let fault = self.journal.fault(&self.limits);
        self.status
            .node_status(&status, (self.replica.tickets, fault))
    }

    pub(super) fn on_link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected => {
                tracing::info!(code = "link.connected", "connected to the core's broker");
                self.step(Input::Connected);
            }
            LinkEvent::Disconnected => {
                self.scanner_line.notify(LineEvent::Disconnected);
                self.step(Input::Disconnected);
            }
            LinkEvent::Message(mut envelope) => {
                if let Down::Config(config) = &mut envelope.body {
                    if let Some(orders) = config.scanners.take() {
                        self.scanner_line.notify(LineEvent::Orders(orders));
                    }
                    if let Some(name) = config.time_zone.take() {
                        self.status.set_time_zone(name);
                    }
                }
                if let Down::Staff(answer) = envelope.body {
                    return self.staff_line.notify(answer);
                }
                if let Down::HolderKeys(keys) = envelope.body {
                    return self.replace_guest_keys(keys);
                }
                let keys = Arc::clone(&self.keys.borrow());
                match CoreMessage::verify(envelope.body, &keys) {
                    Ok(message) => self.step(Input::Message(message)),
                    Err(error) => tracing::error!(
                        code = "core.sync_point_invalid",
                        %error,
                        "a sync point can't be verified with the venue's keys; it is ignored"
                    ),
                }
            }
        }
    }

    /// What others of this node say to the core.
    pub(super) fn send_up(&self, message: Up) {
        let (id, sender) = (clock::new_id(), Sender::Node(self.node));
        self.link.send(Envelope::new(id, sender, message));
    }

    pub(super) fn on_journal_notice(&mut self, notice: journal::Notice) -> Result<(), Fatal> {
        match notice {
            journal::Notice::Failed(error) => Err(Fatal::Journal(error)),
            journal::Notice::Held => {
                self.journal.mark_held();
                self.tell_room();
                self.status.schedule();
                Ok(())
            }
            journal::Notice::Free => {
                self.journal.mark_free();
                self.tell_room();
                self.status.schedule();
                Ok(())
            }
            journal::Notice::Persisted { head, space } => {
                let input = self.journal.mark_persisted(head, space)?;
                self.step(input);
                Ok(())
            }
        }
    }

    pub(super) fn on_replica_notice(&mut self, notice: store::Notice) -> Result<(), Fatal> {
        self.replica.notice_received();
        match notice {
            store::Notice::Applied {
                position,
                digests,
                tickets,
                key_set,
                concerns_staff,
            } => {
                self.replica.tickets = tickets;
                if let Some(bytes) = key_set {
                    self.update_keys(bytes);
                }
                self.step(Input::DeltaApplied { position, digests });
                self.wipe_guest_keys(None);
                if concerns_staff {
                    self.publish_staff();
                }
            }
            store::Notice::SnapshotReady {
                snapshot,
                replica,
                tickets,
                reader,
            } => {
                tracing::info!(
                    code = "replica.ready",
                    tickets,
                    "the replica built from the snapshot is in use"
                );
                self.replica.switch_to(reader, tickets);
                if let Some(bytes) = replica.small.iter().find_map(store::key_set_of) {
                    self.update_keys(bytes);
                }
                self.step(Input::SnapshotReady { snapshot, replica });
                self.wipe_guest_keys(None);
                self.publish_staff();
            }
            store::Notice::SnapshotFailed { snapshot } => {
                self.step(Input::SnapshotFailed { snapshot });
            }
            store::Notice::Emptied(reader) => self.replica.switch_to(reader, 0),
            store::Notice::Failed(error, reader) => {
                tracing::error!(
                    code = "replica.write_failed",
                    %error,
                    "the replica can't be written; it is deleted and fetched again"
                );
                self.replica.switch_to(reader, 0);
                self.step(Input::ReplicaFailed);
            }
            store::Notice::Lost(error) => return Err(Fatal::Replica(error)),
        }
        Ok(())
    }

    /// Takes a newer key set if the root has signed it.
    fn update_keys(&self, bytes: Vec<u8>) {
        match SignedKeySet::from_bytes(bytes).verify(&self.root) {
            Ok(keys) if keys.supersedes(Some(&**self.keys.borrow())) => {
                tracing::info!(
                    code = "keys.updated",
                    version = keys.version(),
                    "a newer key set is in use"
                );
                self.keys.send_replace(Arc::<KeySet>::new(keys));
            }
            Ok(_) => {}
            Err(error) => tracing::error!(
                code = "keys.invalid",
                %error,
                "the feed's key set is not signed by the root key that this node pins; it is ignored"
            ),
        }
    }

    pub(super) fn on_recomputed(&mut self, recomputation: Recomputation) {
        if !self.replica.is_current(&recomputation) {
            return;
        }
        match recomputation.result {
            Ok(Some(store::Recomputed {
                position, digest, ..
            })) => self.step(Input::DigestRecomputed { position, digest }),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                code = "replica.recompute_failed",
                %error,
                "the replica's digest could not be recomputed; next attempt in 5 minutes"
            ),
        }
    }
}
