//! The core's process: what it does with messages, and what it sends.

use eventify_protocol::{
    ids::MessageId,
    sync::{Chunk, Delta, Down, Epoch, Hello, Position, Pull, SnapshotGone, Up, Welcome},
    verdict::Verdict,
};
use eventify_sync::{
    core::welcome::{self, NoPlan},
    edge::CoreMessage,
};

use super::{
    clock::{MS, S, core_time},
    event::Event,
    model::Mutation,
    world::World,
};

/// Entries in one delta, when a node is brought to the head.
const DELTA_ENTRIES: usize = 12;

impl World {
    pub(crate) fn receive(&mut self, node: usize, id: MessageId, message: &Up) {
        match message {
            Up::Hello(hello) => self.hello(node, id, hello),
            Up::Ask(ask) => {
                let question = (self.nodes[node].id, ask.nonce);
                let point = self.core.answer(self.at, question, &mut self.rng);
                self.check_truth(&point);
                self.send_down(node, &CoreMessage::Point(point));
            }
            Up::Scan(scan) => {
                if self.nodes[node].was_revoked {
                    return;
                }
                self.coverage.replacing_scans += u64::from(!scan.replaces.is_empty());
                let from = self.nodes[node].id;
                let commits = self.core.commits.len();
                let may_be_admitted = self.may_be_admitted(scan);
                let verdict =
                    self.core
                        .scan((from, id, scan), self.at, &mut self.rng, &mut self.coverage);
                self.trace_line(|| format!("core: {:?} of node {node}: {verdict:?}", scan.scan));
                if self.core.commits.len() > commits {
                    self.check_in_time(node, scan.scan);
                }
                if let Some(verdict) = verdict {
                    if verdict.verdict == Verdict::Admit && !may_be_admitted {
                        self.violated(format!(
                            "the core admits {:?}, which is not good",
                            scan.scan
                        ));
                    }
                    self.send_down(node, &CoreMessage::Verdict(verdict));
                }
                self.watch_feed();
            }
            Up::Journal(batch) => {
                let from = self.nodes[node].id;
                let ack = self.core.journal(from, batch, &mut self.coverage);
                self.trace_line(|| {
                    let (rows, from) = (batch.rows.len(), batch.from);
                    format!("core: {rows} rows of node {node} from {from}: {ack:?}")
                });
                if let Some(ack) = ack {
                    self.send_down(node, &CoreMessage::JournalAck(ack));
                }
                if self.core.has_unapplied(from) {
                    let epoch = self.core.epoch;
                    let slow = if self.rng.percent(3) && !self.calm {
                        8 * S
                    } else {
                        60 * MS
                    };
                    self.after(MS, slow, Event::ApplyRows { epoch, node });
                }
            }
            Up::Pull(pull) => self.pull(node, pull),
            Up::Health(_) | Up::Scanners(_) | Up::Staff(_) => {}
        }
    }

    fn hello(&mut self, node: usize, id: MessageId, hello: &Hello) {
        if !self.is_the_node(node, hello) {
            return;
        }
        let from = self.nodes[node].id;
        let known = self.core.known(from, hello.head);
        let welcome = match welcome::answer(id, hello, &known) {
            Ok(welcome) => welcome,
            Err(NoPlan::MakeSnapshot) => {
                self.core.make_snapshot(false, &mut self.rng);
                let known = self.core.known(from, hello.head);
                welcome::answer(id, hello, &known).expect("the snapshot is of the head")
            }
            Err(NoPlan::NoAlgorithm) => panic!("nodes speak algorithm 1"),
        };
        self.trace_line(|| {
            format!(
                "core: hello of node {node} at {:?}: {:?}",
                hello.head, welcome.plan
            )
        });
        self.send_down(node, &World::unsigned(Down::Welcome(welcome.clone())));
        self.send_from(node, &welcome, hello.head);
        if self.nodes[node].was_revoked {
            let revoked = eventify_protocol::sync::Config {
                revoked: true,
                duplicate: None,
                scanners: None,
                time_zone: None,
            };
            self.send_down(node, &World::unsigned(Down::Config(revoked)));
        }
    }

    /// What follows a `Welcome` that joins on.
    fn send_from(&mut self, node: usize, welcome: &Welcome, head: Position) {
        if let eventify_protocol::sync::Plan::Delta { .. } = welcome.plan {
            let mut from = head;
            while from < self.core.head().position {
                from = self.send_delta(node, from, DELTA_ENTRIES);
            }
        }
    }

    fn send_delta(&mut self, node: usize, from: Position, most: usize) -> Position {
        let start = usize::try_from(from.0).expect("a short feed");
        let part: Vec<_> = self.core.feed[start..].iter().take(most).collect();
        let to = part.last().map_or(from, |(head, _)| head.position);
        let entries = part.into_iter().map(|(_, entry)| entry.clone()).collect();
        let delta = Delta {
            epoch: self.core.epoch,
            from,
            to,
            entries,
        };
        self.send_down(node, &World::unsigned(Down::Delta(delta)));
        to
    }

    fn pull(&mut self, node: usize, pull: &Pull) {
        if !self.calm && self.rng.percent(2) {
            self.core.delete_snapshot(pull.snapshot);
        }
        if !self.core.has_snapshot(pull.snapshot) {
            let gone = SnapshotGone {
                snapshot: pull.snapshot,
            };
            self.coverage.snapshots_gone += 1;
            return self.send_down(node, &World::unsigned(Down::SnapshotGone(gone)));
        }
        for index in pull.from..pull.from.saturating_add(pull.count) {
            let Some((bytes, of)) = self.core.chunk(pull.snapshot, index) else {
                continue;
            };
            let chunk = Chunk {
                snapshot: pull.snapshot,
                index,
                of,
                bytes: bytes.into(),
            };
            self.send_down(node, &World::unsigned(Down::Chunk(chunk)));
        }
    }

    pub(crate) fn write_feed(&mut self, epoch: Epoch) {
        if epoch != self.core.epoch || self.core.next_ready().is_none_or(|ready| ready > self.at) {
            return;
        }
        let before = self.core.write_feed(self.at, &mut self.rng);
        let length = usize::try_from(self.core.head().position.0 - before.0).expect("a batch");
        if length > 0 {
            for node in 0..self.nodes.len() {
                if self.nodes[node].connected {
                    self.send_delta(node, before, length);
                }
            }
        }
        self.send_acks();
        self.watch_feed();
    }

    pub(crate) fn apply_rows(&mut self, epoch: Epoch, node: usize) {
        if epoch != self.core.epoch {
            return;
        }
        let from = self.nodes[node].id;
        self.core
            .apply_rows(from, self.at, &mut self.rng, &mut self.coverage);
        if self.mutation == Some(Mutation::CoreLosesRows) && self.rng.percent(5) {
            self.core.lose_an_entry(&mut self.rng);
        }
        self.send_acks();
        self.watch_feed();
    }

    fn send_acks(&mut self) {
        for (id, ack) in self.core.acknowledge() {
            if let Some(node) = self.index_of(id) {
                self.send_down(node, &World::unsigned(Down::JournalAck(ack)));
            }
        }
    }

    /// Another server becomes primary; it knows the feed and the rest as they were at the
    /// checkpoint.
    pub(crate) fn fail_over(&mut self) {
        let Some(checkpoint) = self.checkpoint.take() else {
            return;
        };
        self.core = checkpoint.promoted();
        self.model.failovers += 1;
        self.coverage.failovers += 1;
        let now = core_time(self.at);
        self.trace_line(|| format!("failover at {now:?}"));
        for node in 0..self.nodes.len() {
            if self.core.has_unapplied(self.nodes[node].id) {
                let epoch = self.core.epoch;
                self.schedule(self.at, Event::ApplyRows { epoch, node });
            }
        }
        self.refunds_after_failover();
        self.import_again();
        self.revoke_again();
        self.watch_feed();
        self.send_acks();
    }
}
