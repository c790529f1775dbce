//! A copy of a node's disk runs beside it, until the core has told one of them to stop.

use eventify_protocol::{
    ids::IncarnationId,
    sync::{Config, Down, Hello, JournalBatch},
};
use eventify_sync::{
    core::sessions::{Heard, Session, hear},
    edge::carry_over,
};

use super::{
    clock::{S, core_time},
    event::{AtNode, Event},
    node::Node,
    world::World,
};

/// Journal files of one identity: each copy makes a few, and no more however long both live.
const MAX_FILES: usize = 12;
/// After a failover what was lost is imported by hand, and the node goes on behind that.
const FILES_OF_A_FAILOVER: usize = 2;

impl World {
    pub(crate) fn copy_disk(&mut self, node: usize) {
        let original = &self.nodes[node];
        if original.is_copied || original.was_revoked {
            return;
        }
        self.coverage.copies += 1;
        let booted = self.at.saturating_sub(self.rng.between(S, 50 * S));
        let gates = original.gates.clone();
        let mut copy = Node::new(booted, gates, &mut self.rng);
        let original = &mut self.nodes[node];
        (copy.id, copy.disk) = (original.id, original.disk.clone());
        for one in [&mut *original, &mut copy] {
            (one.is_copied, one.was_restored) = (true, true);
        }
        self.nodes.push(copy);
        self.start(self.nodes.len() - 1);
    }

    /// The broker lets one connection of an identity live, the newest.
    pub(crate) fn displace_others(&mut self, node: usize) {
        let id = self.nodes[node].id;
        for other in 0..self.nodes.len() {
            if other != node && self.nodes[other].id == id && self.nodes[other].connected {
                // A machine that is suspended notices it when it wakes.
                self.at_node(other, self.at, AtNode::Pipe { up: false });
            }
        }
    }

    /// Whether the sender of a `Hello` is the node.
    pub(crate) fn is_the_node(&mut self, node: usize, hello: &Hello) -> bool {
        let Some(session) = hello.session else {
            return true;
        };
        let now = core_time(self.at);
        let known = self.core.sessions.entry(self.nodes[node].id).or_default();
        match hear(known, session, hello.sent_after) {
            Heard::New => known.push(Session {
                id: session,
                first_heard: now,
                is_duplicate: false,
            }),
            Heard::Current => {}
            Heard::Elder(younger) => {
                for session in known.iter_mut().filter(|it| younger.contains(&it.id)) {
                    session.is_duplicate = true;
                }
            }
            Heard::Duplicate => {
                let config = Config {
                    revoked: false,
                    duplicate: Some(session),
                    scanners: None,
                    time_zone: None,
                };
                self.send_down(node, &World::unsigned(Down::Config(config)));
                return false;
            }
        }
        true
    }

    /// It was told that it is a duplicate. What it has decided is brought to the core by hand.
    pub(crate) fn stop_duplicate(&mut self, node: usize) {
        if !self.nodes[node].is_copied {
            return self.violated(format!("node {node} is called a duplicate for no reason"));
        }
        self.coverage.duplicates_stopped += 1;
        self.trace_line(|| format!("node {node} stops: it is a duplicate"));
        self.nodes[node].crash(&mut self.rng);
        self.nodes[node].is_stopped = true;
        self.import_journal(node);
    }

    /// By hand, of a machine that does not run any more; again after a failover.
    fn import_journal(&mut self, node: usize) {
        let held = &self.nodes[node];
        let (id, rows) = (held.id, held.disk.rows().to_vec());
        let stored = self.core.journals.get(&id).and_then(|journal| journal.head);
        let Some(first) = rows.first() else {
            return;
        };
        let at = first.row().at;
        let incarnation = IncarnationId(self.rng.uuid());
        let (incarnation, rows) = match stored {
            Some(stored) => (incarnation, carry_over(id, incarnation, stored, at, &rows)),
            None => (first.row().incarnation, rows),
        };
        let batch = JournalBatch {
            incarnation,
            from: 1,
            rows: rows.iter().map(|row| row.bytes().to_vec().into()).collect(),
        };
        self.core.journal(id, &batch, &mut self.coverage);
        let epoch = self.core.epoch;
        self.schedule(self.at, Event::ApplyRows { epoch, node });
    }

    /// Another server may have lost what was imported.
    pub(crate) fn import_again(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_stopped {
                self.import_journal(node);
            }
        }
    }

    /// Two copies that throw each other out fill nothing.
    pub(crate) fn check_growth(&mut self, node: usize) {
        let rows = self.core.journals.get(&self.nodes[node].id);
        let rows = rows.into_iter().flat_map(|journal| &journal.rows);
        let mut files: Vec<IncarnationId> = rows.map(|row| row.row().incarnation).collect();
        files.dedup();
        self.coverage.most_files = self.coverage.most_files.max(files.len() as u64);
        let failovers = usize::try_from(self.model.failovers).unwrap_or(usize::MAX);
        let most = MAX_FILES.saturating_add(failovers.saturating_mul(FILES_OF_A_FAILOVER));
        if files.len() > most {
            self.violated(format!("node {node} has filled {} files", files.len()));
        }
    }
}
