//! The world: one queue of events, one clock, one source of chance.

use std::collections::{BTreeMap, VecDeque};

use eventify_protocol::{
    ids::{GateId, MessageId},
    sync::{Down, GateEntry, NodeEntry, PolicyEntry, Subject, Up, Value},
};
use eventify_sync::edge::{CoreMessage, Input, Machine};

use super::{
    chaos::{Fault, Moment},
    clock::{MS, Nanos, S},
    core::Core,
    coverage::Coverage,
    event::{AtNode, Event},
    guests::Guests,
    model::{Model, Mutation},
    network::{Direction, size_down, size_up},
    node::Node,
    refunds::Refunds,
    rng::Rng,
    shows,
    supervisors::Supervisors,
};

/// Printed for a failing seed.
const TRACE_LINES: usize = 500;

pub(crate) struct World {
    pub(crate) at: Nanos,
    pub(crate) steps: u64,
    pub(crate) rng: Rng,
    pub(crate) core: Core,
    pub(crate) checkpoint: Option<Core>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) guests: Guests,
    pub(crate) model: Model,
    pub(crate) refunds: Refunds,
    pub(crate) supervisors: Supervisors,
    pub(crate) coverage: Coverage,
    /// No more trouble: everything has to come to rest.
    pub(crate) calm: bool,
    /// Nobody scans any more.
    pub(crate) quiet: bool,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) violation: Option<String>,
    pub(crate) trace: Option<VecDeque<String>>,
    queue: BTreeMap<(Nanos, u64), Event>,
    events: u64,
}

impl World {
    pub(crate) fn new(seed: u64, mutation: Option<Mutation>, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let mut world = Self {
            at: 0,
            steps: 0,
            core: Core::new(&mut rng, mutation),
            checkpoint: None,
            nodes: vec![],
            guests: Guests::default(),
            model: Model::default(),
            refunds: Refunds::new(seed),
            supervisors: Supervisors::new(seed),
            coverage: Coverage::default(),
            calm: false,
            quiet: false,
            mutation,
            violation: None,
            trace: traced.then(VecDeque::new),
            queue: BTreeMap::new(),
            events: 0,
            rng,
        };
        world.set_up();
        world
    }

    /// A venue with its gates and nodes, all of it in the feed.
    fn set_up(&mut self) {
        // The nodes' clocks have run for a while.
        self.at = 50 * S;
        for index in 0..self.rng.between(2, 4) {
            let gates: Vec<GateId> = (0..self.rng.between(1, 3))
                .map(|_| GateId(self.rng.uuid()))
                .collect();
            let mut node = Node::new(self.rng.between(0, 50 * S), gates.clone(), &mut self.rng);
            if self.mutation == Some(Mutation::ClocksDriftBeyondTheBound) {
                node.clock = super::clock::Clock::new(node.clock.boot, 0, -60_000, 0);
            }
            node.forgets_overlay = self.mutation == Some(Mutation::ForgetsTheOverlay);
            node.admits_suspended = self.mutation == Some(Mutation::NodeAdmitsSuspended);
            let label = format!("edge {index}");
            let entry = NodeEntry {
                label,
                gates: gates.clone(),
                revoked: false,
            };
            self.core.publish(
                Subject::Node(node.id),
                Value::Node(entry),
                self.at,
                &mut self.rng,
            );
            for gate in gates {
                let performances = shows::AT_THE_GATES.to_vec();
                let name = format!("gate {gate}");
                let entry = GateEntry {
                    name,
                    performances,
                    categories: vec![],
                };
                self.core.gates.insert(gate, (node.id, entry.clone()));
                self.core.publish(
                    Subject::Gate(gate),
                    Value::Gate(entry),
                    self.at,
                    &mut self.rng,
                );
            }
            self.nodes.push(node);
        }
        let limit = [0, 5_000, 20_000, 60_000, 60_000, 300_000, 300_000][self.rng.index(7)];
        self.set_policy(limit);
        self.schedule_shows();
        // All of this is long in the feed when the first node starts.
        self.core.flow(self.at);
        self.core.write_feed(self.at, &mut self.rng);
        for node in 0..self.nodes.len() {
            self.coverage.narrow_lines += u64::from(self.nodes[node].line.is_narrow());
            self.start(node);
        }
    }

    pub(crate) fn set_policy(&mut self, max_cache_age_ms: u32) {
        let policy = Value::Policy(PolicyEntry {
            max_cache_age_ms,
            acts_per_hour: self.supervisors.acts_per_hour,
            ..PolicyEntry::default()
        });
        self.core
            .publish(Subject::Policy, policy, self.at, &mut self.rng);
        self.watch_feed();
    }

    pub(crate) fn schedule(&mut self, at: Nanos, event: Event) {
        self.events += 1;
        self.queue.insert((at.max(self.at), self.events), event);
    }

    /// When other trouble is planned, and whether it is a show that moves.
    pub(crate) fn planned_faults(&self) -> Vec<(Nanos, bool)> {
        let planned = self.queue.iter().filter_map(|((at, _), event)| {
            let Event::Fault(fault) = event else {
                return None;
            };
            Some((*at, matches!(fault, Fault::MoveShow { .. })))
        });
        planned.collect()
    }

    pub(crate) fn after(&mut self, low: Nanos, high: Nanos, event: Event) {
        let at = self.at + self.rng.between(low, high);
        self.schedule(at, event);
    }

    /// Something of a node's present process.
    pub(crate) fn at_node(&mut self, node: usize, at: Nanos, what: AtNode) {
        let life = self.nodes[node].life;
        self.schedule(at, Event::Process { node, life, what });
    }

    pub(crate) fn at_node_after(&mut self, node: usize, low: Nanos, high: Nanos, what: AtNode) {
        let at = self.at + self.rng.between(low, high);
        self.at_node(node, at, what);
    }

    /// Runs until then, or until a check fails.
    pub(crate) fn run_until(&mut self, end: Nanos) {
        while self.violation.is_none() {
            let Some(entry) = self.queue.first_entry() else {
                break;
            };
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.at = at;
            self.steps += 1;
            self.step(event);
        }
        self.at = self.at.max(end);
    }

    pub(crate) fn trace_line(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let seconds = self.at / S;
            let micros = self.at % S / 1_000;
            trace.push_back(format!("{seconds:>5}.{micros:06} {}", what()));
            if trace.len() > TRACE_LINES {
                trace.pop_front();
            }
        }
    }

    pub(crate) fn violated(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// The end of all trouble.
    pub(crate) fn settle_down(&mut self) {
        self.calm = true;
        self.core.flow(self.at);
        self.watch_feed();
        for node in 0..self.nodes.len() {
            let held = &mut self.nodes[node];
            held.line.heal();
            held.slow_until = held.slow_until.min(self.at);
            held.breaks = 0;
            held.misapplies = false;
            self.start(node);
        }
        self.settle_refunds();
    }

    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].machine.is_some() || self.nodes[node].is_stopped {
            return;
        }
        if self.nodes[node].disk.is_short() {
            let known = self.nodes[node].disk.last_row;
            self.go_on_after_loss(node, known);
        }
        let resumes = self.nodes[node].disk.partial().is_some();
        self.coverage.snapshots_resumed += u64::from(resumes);
        self.nodes[node].start(self.at, &mut self.rng);
        self.trace_line(|| format!("node {node} starts"));
        self.at_node_after(node, 50 * MS, S, AtNode::Pipe { up: true });
        self.carry_out(node);
    }

    pub(crate) fn pipe(&mut self, node: usize, up: bool) {
        let held = &mut self.nodes[node];
        if held.connected == up {
            return;
        }
        if up && held.line.is_cut() {
            // The shell tries again until the line is back.
            return self.at_node_after(node, 500 * MS, 2 * S, AtNode::Pipe { up });
        }
        if up {
            self.displace_others(node);
        }
        let held = &mut self.nodes[node];
        held.connected = up;
        held.session += 1;
        held.line.forget(self.at);
        if !up {
            let now = held.clock.now(self.at).boottime;
            held.watch.loses_the_pipe(now);
        }
        self.trace_line(|| format!("node {node} pipe {}", if up { "up" } else { "down" }));
        self.step_node(
            node,
            if up {
                Input::Connected
            } else {
                Input::Disconnected
            },
        );
        if !up {
            // What it asked in this step, it asked before it knew.
            let held = &mut self.nodes[node];
            let now = held.clock.now(self.at).boottime;
            held.watch.loses_the_pipe(now);
            self.at_node_after(node, 500 * MS, 2 * S, AtNode::Pipe { up: true });
        }
    }

    /// Sends to a node; what it misses is gone.
    pub(crate) fn send_down(&mut self, node: usize, message: &CoreMessage) {
        let session = self.nodes[node].session;
        let size = size_down(message);
        let line = &mut self.nodes[node].line;
        for delay in line.delays((Direction::Down, self.at), size, &mut self.rng) {
            let message = Box::new(message.clone());
            let what = Event::Message {
                node,
                session,
                message,
            };
            self.schedule(self.at + delay, what);
        }
    }

    pub(crate) fn send_up(&mut self, node: usize, id: MessageId, message: &Up) {
        if !self.nodes[node].connected {
            return;
        }
        let size = size_up(message);
        let line = &mut self.nodes[node].line;
        for delay in line.delays((Direction::Up, self.at), size, &mut self.rng) {
            let message = message.clone();
            self.schedule(self.at + delay, Event::Sent { node, id, message });
        }
    }

    /// Makes sure that rows in the outbox are written when they have come.
    pub(crate) fn watch_feed(&mut self) {
        if let Some(ready) = self.core.next_ready() {
            let epoch = self.core.epoch;
            self.schedule(ready, Event::WriteFeed { epoch });
        }
    }

    /// Begins a sync if rows wait and none runs.
    pub(crate) fn sync(&mut self, node: usize) {
        let held = &mut self.nodes[node];
        if held.syncing > 0 || held.unsynced.is_empty() {
            return;
        }
        held.syncing = held.unsynced.len();
        let done = held.sync_done(self.at, &mut self.rng);
        let (noticed, free) = (self.at + S, held.held_until);
        if noticed < free {
            self.at_node(node, noticed, AtNode::Room { held: true });
            self.at_node(node, free, AtNode::Room { held: false });
        }
        self.at_node(node, done, AtNode::Synced);
    }

    pub(crate) fn arm(&mut self, node: usize) {
        let held = &mut self.nodes[node];
        let Some((due, why)) = held.machine.as_ref().and_then(Machine::poll_timeout) else {
            return;
        };
        let due = held.clock.when(due).max(self.at + 1);
        if why == "cache limit" && held.ambush.is_some() {
            // Whatever is decided until then is decided by a cache that is almost too old.
            self.spring(node, Moment::NearTheLimit);
        }
        let held = &mut self.nodes[node];
        if held.armed.is_none_or(|armed| armed > due) {
            held.armed = Some(due);
            self.at_node(node, due, AtNode::Timer);
        }
    }

    pub(crate) fn index_of(&self, id: eventify_protocol::ids::NodeId) -> Option<usize> {
        let of_id = |node: &&Node| node.id == id;
        let connected = self
            .nodes
            .iter()
            .position(|node| node.id == id && node.connected);
        debug_assert!(
            self.nodes.iter().filter(of_id).count() < 3,
            "one copy at most"
        );
        connected.or_else(|| self.nodes.iter().position(|node| node.id == id))
    }

    /// Only for messages that need no signature.
    pub(crate) fn unsigned(message: Down) -> CoreMessage {
        match message {
            Down::Welcome(welcome) => CoreMessage::Welcome(welcome),
            Down::Verdict(verdict) => CoreMessage::Verdict(verdict),
            Down::Delta(delta) => CoreMessage::Delta(delta),
            Down::Chunk(chunk) => CoreMessage::Chunk(chunk),
            Down::JournalAck(ack) => CoreMessage::JournalAck(ack),
            Down::Config(config) => CoreMessage::Config(config),
            Down::SnapshotGone(gone) => CoreMessage::SnapshotGone(gone),
            Down::Staff(_) => CoreMessage::ForShell,
            Down::HolderKeys(_) => CoreMessage::ForShell,
            Down::Point(_) => panic!("points go as what they say"),
        }
    }
}
