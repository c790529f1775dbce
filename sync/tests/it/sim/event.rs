//! The events of the world, and what they do.

use eventify_protocol::{
    ids::{IncarnationId, MessageId, ScanId, TicketId},
    lan::JournalFault,
    sync::{Epoch, JournalHead, Moment, Up},
};
use eventify_sync::edge::{CoreMessage, Input, ReplicaOutput};

use super::{chaos::Fault, clock::Nanos, guests::GuestEvent, world::World};

pub(crate) enum Event {
    /// A message reaches the core.
    Sent {
        node: usize,
        id: MessageId,
        message: Up,
    },
    /// A message reaches a node, if it still has the connection that it was sent to.
    Message {
        node: usize,
        session: u32,
        message: Box<CoreMessage>,
    },
    /// Something of a process; nothing if that has died meanwhile.
    Process {
        node: usize,
        life: u32,
        what: AtNode,
    },
    /// Rows in the core's outbox have come to the feed writer.
    WriteFeed {
        epoch: Epoch,
    },
    /// Stored journal rows are applied.
    ApplyRows {
        epoch: Epoch,
        node: usize,
    },
    Guest(GuestEvent),
    /// Somebody does something at a gate beside scanning.
    Act {
        act: usize,
    },
    Fault(Fault),
}

/// What happens inside of a node's process.
pub(crate) enum AtNode {
    Pipe {
        up: bool,
    },
    Timer,
    /// The writer of the journal notices that another program holds the file, or that it is free.
    Room {
        held: bool,
    },
    Synced,
    ReadTicket {
        scan: ScanId,
        ticket: TicketId,
        generation: u32,
    },
    ReadRows {
        from: u64,
        through: u64,
    },
    BeginFile {
        incarnation: IncarnationId,
        succeeds: JournalHead,
        at: Moment,
    },
    Replica(Box<ReplicaOutput>),
}

impl World {
    pub(crate) fn step(&mut self, event: Event) {
        match event {
            Event::Sent { node, id, message } => self.receive(node, id, &message),
            Event::Message {
                node,
                session,
                message,
            } => {
                if let Some(thaws) = self.frozen(node) {
                    return self.schedule(
                        thaws,
                        Event::Message {
                            node,
                            session,
                            message,
                        },
                    );
                }
                if self.nodes[node].connected && self.nodes[node].session == session {
                    self.watch_received(node, &message);
                    self.step_node(node, Input::Message(*message));
                }
            }
            Event::Process { node, life, what } => {
                if life != self.nodes[node].life {
                    return;
                }
                if let Some(thaws) = self.frozen(node) {
                    return self.schedule(thaws, Event::Process { node, life, what });
                }
                self.go_on(node, what);
            }
            Event::WriteFeed { epoch } => self.write_feed(epoch),
            Event::ApplyRows { epoch, node } => self.apply_rows(epoch, node),
            Event::Guest(guest) => self.guest(&guest),
            Event::Act { act } => self.do_act(act),
            Event::Fault(fault) => self.fault(fault),
        }
    }

    fn watch_received(&mut self, node: usize, message: &CoreMessage) {
        let at = self.at;
        let held = &mut self.nodes[node];
        let now = held.now(at).boottime;
        if let CoreMessage::Point(point) = message {
            held.watch.receives_point(point.nonce, now);
        } else if let CoreMessage::Verdict(verdict) = message {
            held.watch.receives_verdict(verdict.scan, now);
        }
    }

    /// While a node is suspended, what would happen to it waits, in its order.
    fn frozen(&self, node: usize) -> Option<Nanos> {
        Some(self.nodes[node].frozen_until).filter(|thaws| *thaws > self.at)
    }

    fn go_on(&mut self, node: usize, what: AtNode) {
        match what {
            AtNode::Pipe { up } => self.pipe(node, up),
            AtNode::Timer => self.timer(node),
            AtNode::Room { held } => {
                self.coverage.held_journals += u64::from(held);
                let fault = held.then_some(JournalFault::Held);
                let free_bytes = 1 << 30;
                self.step_node(node, Input::Room { free_bytes, fault });
            }
            AtNode::Synced => {
                let input = self.nodes[node].synced();
                self.step_node(node, input);
                self.sync(node);
            }
            AtNode::ReadTicket {
                scan,
                ticket,
                generation,
            } => {
                let held = &mut self.nodes[node];
                let input = held
                    .read_ticket(scan, ticket, generation)
                    .unwrap_or_else(|| held.replica_failed());
                self.step_node(node, input);
            }
            AtNode::ReadRows { from, through } => {
                let most = self.rng.index(40) + 1;
                self.nodes[node].reading_rows -= 1;
                let input = self.nodes[node].read_rows(from, through, most);
                self.step_node(node, input);
            }
            AtNode::BeginFile {
                incarnation,
                succeeds,
                at,
            } => {
                self.coverage.forks += 1;
                let held = &mut self.nodes[node];
                if let Some(input) = held.begin_file(incarnation, succeeds, at) {
                    held.forking = false;
                    held.watch.opened(held.disk.rows());
                    self.step_node(node, input);
                }
            }
            AtNode::Replica(output) => {
                self.trace_line(|| {
                    let text = format!("node {node} works: {output:?}");
                    text.chars().take(80).collect()
                });
                for input in self.nodes[node].use_replica(*output) {
                    let ready = matches!(input, Input::SnapshotReady { .. });
                    self.coverage.snapshots += u64::from(ready);
                    self.step_node(node, input);
                }
            }
        }
    }

    /// Only the timer that was armed last counts.
    fn timer(&mut self, node: usize) {
        if self.nodes[node].armed.is_none_or(|due| due > self.at) {
            return;
        }
        self.nodes[node].armed = None;
        let now = self.nodes[node].now(self.at);
        if let Some(machine) = &mut self.nodes[node].machine {
            machine.handle_timeout(now);
        }
        self.carry_out(node);
    }

    /// Gives the machine an input and carries out its outputs.
    pub(crate) fn step_node(&mut self, node: usize, input: Input) {
        let now = self.nodes[node].now(self.at);
        if let Some(machine) = &mut self.nodes[node].machine {
            machine.handle(input, now);
        }
        self.carry_out(node);
    }
}
