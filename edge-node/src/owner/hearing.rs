//! What others say, as inputs of the machine.

use std::sync::Arc;

use eventify_protocol::keys::{KeySet, SignedKeySet};
use eventify_sync::edge::{Input, Received};

use super::{Fatal, Owner, cache::Counted};
use crate::{journal, link::LinkEvent, store};

impl Owner {
    pub(super) fn link_says(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected => {
                tracing::info!(code = "link_up", "connected to the core's broker");
                self.feed(Input::Connected);
            }
            LinkEvent::Disconnected => self.feed(Input::Disconnected),
            LinkEvent::Message(envelope) => {
                let keys = Arc::clone(&self.keys.borrow());
                match Received::check(envelope.body, &keys) {
                    Ok(received) => self.feed(Input::Message(received)),
                    Err(error) => {
                        tracing::error!(code = "sync_point_refused", %error, "not believed");
                    }
                }
            }
        }
    }

    pub(super) fn journal_says(&mut self, notice: journal::Notice) -> Result<(), Fatal> {
        match notice {
            journal::Notice::Failed(error) => Err(Fatal::Journal(error)),
            journal::Notice::Persisted { head, room } => {
                let input = self.log.persisted(head, room)?;
                self.feed(input);
                Ok(())
            }
        }
    }

    pub(super) fn replica_says(&mut self, notice: store::Notice) -> Result<(), Fatal> {
        self.cache.took_notice();
        match notice {
            store::Notice::Applied {
                position,
                digests,
                tickets,
                key_set,
            } => {
                self.cache.tickets = tickets;
                if let Some(bytes) = key_set {
                    self.take_key_set(bytes);
                }
                self.feed(Input::Applied { position, digests });
            }
            store::Notice::SnapshotReady {
                snapshot,
                replica,
                tickets,
                reader,
            } => {
                tracing::info!(code = "replica_ready", tickets, "a new replica serves");
                self.cache.turn_to(reader, tickets);
                if let Some(bytes) = replica.small.iter().find_map(store::key_set_of) {
                    self.take_key_set(bytes);
                }
                self.feed(Input::SnapshotReady { snapshot, replica });
            }
            store::Notice::SnapshotFailed { snapshot } => {
                self.feed(Input::SnapshotFailed { snapshot });
            }
            store::Notice::Emptied(reader) => self.cache.turn_to(reader, 0),
            store::Notice::Failed(error, reader) => {
                tracing::error!(code = "replica_failed", %error, "thrown away, fetched anew");
                self.cache.turn_to(reader, 0);
                self.feed(Input::ReplicaFailed);
            }
            store::Notice::Lost(error) => return Err(Fatal::Replica(error)),
        }
        Ok(())
    }

    /// A newer key set, if the root has signed it.
    fn take_key_set(&self, bytes: Vec<u8>) {
        match SignedKeySet::from_bytes(bytes).verify(&self.root) {
            Ok(keys) if keys.supersedes(Some(&**self.keys.borrow())) => {
                tracing::info!(version = keys.version(), "key set taken");
                self.keys.send_replace(Arc::<KeySet>::new(keys));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(code = "key_set_refused", %error, "the feed's is not the root's");
            }
        }
    }

    pub(super) fn count_is_done(&mut self, counted: Counted) {
        if !self.cache.is_of_this(&counted) {
            return;
        }
        match counted.outcome {
            Ok(Some(store::Recomputed {
                position, digest, ..
            })) => {
                self.feed(Input::Recomputed { position, digest });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(code = "replica_count_failed", %error, "tried again in 5 minutes");
            }
        }
    }
}
