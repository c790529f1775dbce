//! Trouble: drawn for a run from its seed, in advance.

use eventify_protocol::{
    ids::BootId,
    sync::{Config, Down, JournalEntry, NodeEntry, SealedRow, Subject, Value},
    verdict::Verdict,
};
use eventify_sync::edge::Input;

use super::{
    clock::{MS, Nanos, S},
    event::{AtNode, Event},
    guests::GuestEvent,
    model,
    world::World,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Cut {
        node: usize,
        up: bool,
        down: bool,
    },
    Mend {
        node: usize,
    },
    Lossy {
        node: usize,
    },
    Crash {
        node: usize,
        stays_down: Nanos,
        reboots: bool,
        restores: bool,
    },
    Start {
        node: usize,
    },
    SetWall {
        node: usize,
        by: i64,
    },
    Suspend {
        node: usize,
        lasts: Nanos,
    },
    SlowDisk {
        node: usize,
        lasts: Nanos,
    },
    /// The replica's file can't be used so many times.
    BreakReplica {
        node: usize,
        times: u32,
    },
    Image {
        node: usize,
    },
    Misapply {
        node: usize,
    },
    Recount {
        node: usize,
        damage: bool,
    },
    Checkpoint,
    FailOver,
    RevokeNode {
        node: usize,
    },
    RevokeTicket,
    Compact,
    StallFeed {
        lasts: Nanos,
    },
    Policy,
}

/// How long the trouble lasts, drawn for a run.
pub(crate) fn plan(world: &mut World) -> Nanos {
    let lasts = match world.rng.between(0, 100) {
        0..60 => world.rng.between(60 * S, 150 * S),
        60..92 => world.rng.between(150 * S, 300 * S),
        // Long enough for rule 1.7 and for a cache to pass the constant limit.
        _ => world.rng.between(400 * S, 800 * S),
    };
    let end = world.at + lasts;
    let sold_before = world.rng.between(10, 40);
    for _ in 0..sold_before {
        world.after(0, 2 * S, Event::Guest(GuestEvent::Buy));
    }
    for _ in 0..world.rng.between(10, 50) {
        let at = world.rng.between(world.at, end);
        world.schedule(at, Event::Guest(GuestEvent::Buy));
    }
    for _ in 0..world.rng.between(1, 8) {
        schedule(world, end, Fault::RevokeTicket);
    }
    for _ in 0..world.rng.between(3, 16) {
        trouble(world, end);
    }
    if lasts > 400 * S {
        long_one_way_cut(world, end);
    }
    end
}

fn schedule(world: &mut World, end: Nanos, fault: Fault) -> Nanos {
    let at = world.rng.between(world.at, end);
    world.schedule(at, Event::Fault(fault));
    at
}

/// A line that works only downwards, for longer than the limit.
fn long_one_way_cut(world: &mut World, end: Nanos) {
    let node = world.rng.index(world.nodes.len());
    let at = world.rng.between(world.at, world.at + (end - world.at) / 4);
    let down = world.rng.percent(30);
    world.schedule(
        at,
        Event::Fault(Fault::Cut {
            node,
            up: true,
            down,
        }),
    );
    world.schedule(end - S, Event::Fault(Fault::Mend { node }));
}

fn trouble(world: &mut World, end: Nanos) {
    let node = world.rng.index(world.nodes.len());
    let rng = &mut world.rng;
    let fault = match rng.between(0, 100) {
        0..30 => return cut(world, node, end),
        30..35 => Fault::Lossy { node },
        35..47 => Fault::Crash {
            node,
            stays_down: rng.between(100 * MS, 20 * S),
            reboots: false,
            restores: false,
        },
        47..54 => Fault::Crash {
            node,
            stays_down: rng.between(5 * S, 40 * S),
            reboots: true,
            restores: false,
        },
        54..58 => {
            let at = schedule(world, end, Fault::Image { node });
            let back = world.rng.between(at, end);
            let stays_down = world.rng.between(S, 20 * S);
            let fault = Fault::Crash {
                node,
                stays_down,
                reboots: true,
                restores: true,
            };
            return world.schedule(back, Event::Fault(fault));
        }
        58..60 => return set_back_in_a_stall(world, node, end),
        60..64 => {
            let bound = if rng.percent(50) {
                3_000_000
            } else {
                4_000_000_000
            };
            Fault::SetWall {
                node,
                by: rng.signed(bound),
            }
        }
        64..69 => Fault::Suspend {
            node,
            lasts: rng.between(S, 60 * S),
        },
        69..74 => Fault::SlowDisk {
            node,
            lasts: rng.between(5 * S, 60 * S),
        },
        74..76 => Fault::Misapply { node },
        76..79 => Fault::BreakReplica {
            node,
            times: u32::try_from(rng.between(1, 4)).expect("small"),
        },
        79..82 => Fault::Recount {
            node,
            damage: rng.percent(50),
        },
        82..86 => {
            let at = schedule(world, end, Fault::Checkpoint);
            let over = at + world.rng.between(MS, 8 * S);
            return world.schedule(over, Event::Fault(Fault::FailOver));
        }
        86..88 => Fault::RevokeNode { node },
        88..91 => Fault::Compact,
        91..97 => Fault::StallFeed {
            lasts: rng.between(2 * S, 90 * S),
        },
        _ => Fault::Policy,
    };
    schedule(world, end, fault);
}

/// The disk is set back to a moment that the core has heard of, but not acknowledged.
fn set_back_in_a_stall(world: &mut World, node: usize, end: Nanos) {
    let at = schedule(world, end, Fault::StallFeed { lasts: 60 * S });
    let mut later = |low, high, fault| {
        let at = at + world.rng.between(low, high);
        world.schedule(at, Event::Fault(fault));
    };
    later(S, 15 * S, Fault::Image { node });
    let stays_down = S;
    later(
        16 * S,
        40 * S,
        Fault::Crash {
            node,
            stays_down,
            reboots: true,
            restores: true,
        },
    );
}

fn cut(world: &mut World, node: usize, end: Nanos) {
    let (up, down) = match world.rng.between(0, 10) {
        0..6 => (true, true),
        6..8 => (true, false),
        _ => (false, true),
    };
    let at = schedule(world, end, Fault::Cut { node, up, down });
    let mended = at + world.rng.between(100 * MS, 90 * S);
    world.schedule(mended, Event::Fault(Fault::Mend { node }));
}

impl World {
    pub(crate) fn fault(&mut self, fault: Fault) {
        if self.calm && !matches!(fault, Fault::Start { .. }) {
            return;
        }
        self.note(|| format!("fault {fault:?}"));
        match fault {
            Fault::Cut { node, up, down } => self.cut(node, up, down),
            Fault::Mend { node } => {
                let line = &mut self.nodes[node].line;
                (line.up_cut, line.down_cut) = (false, false);
            }
            Fault::Lossy { node } => self.nodes[node].line.loss = 300,
            Fault::Crash {
                node,
                stays_down,
                reboots,
                restores,
            } => {
                self.crash(node, stays_down, reboots, restores);
            }
            Fault::Start { node } => self.start(node),
            Fault::SetWall { node, by } => {
                self.coverage.clock_jumps += 1;
                self.nodes[node].clock.set_wall(by);
            }
            Fault::Suspend { node, lasts } => {
                self.coverage.suspends += 1;
                let held = &mut self.nodes[node];
                held.frozen_until = held.frozen_until.max(self.at + lasts);
            }
            Fault::SlowDisk { node, lasts } => {
                self.coverage.slow_disks += 1;
                let held = &mut self.nodes[node];
                held.slow_until = held.slow_until.max(self.at + lasts);
            }
            Fault::Image { node } => {
                self.nodes[node].image = Some(self.nodes[node].disk.clone());
            }
            Fault::BreakReplica { node, times } => {
                self.coverage.broken_replicas += 1;
                self.nodes[node].breaks = times;
            }
            Fault::Misapply { node } => self.nodes[node].misapplies = true,
            Fault::Recount { node, damage } => self.recount(node, damage),
            Fault::Checkpoint => self.checkpoint = Some(self.core.clone()),
            Fault::FailOver => self.fail_over(),
            Fault::RevokeNode { node } => self.revoke_node(node),
            Fault::RevokeTicket => self.revoke_ticket(),
            Fault::Compact => self.core.make_snapshot(true, &mut self.rng),
            Fault::StallFeed { lasts } => self.core.stall(self.at + lasts),
            Fault::Policy => {
                let limit = [0, 10_000, 60_000, 300_000][self.rng.index(4)];
                self.set_policy(limit);
            }
        }
        if matches!(fault, Fault::StallFeed { .. }) {
            self.watch_feed();
        }
    }

    fn cut(&mut self, node: usize, up: bool, down: bool) {
        let held = &mut self.nodes[node];
        (held.line.up_cut, held.line.down_cut) = (up, down);
        if up && down {
            self.coverage.cuts += 1;
            self.at_node_after(node, 100 * MS, 5 * S, AtNode::Pipe { up: false });
        } else {
            self.coverage.one_way_cuts += 1;
        }
    }

    fn crash(&mut self, node: usize, stays_down: Nanos, reboots: bool, restores: bool) {
        if self.nodes[node].machine.is_none() {
            return;
        }
        let unsynced = self.nodes[node].unsynced.len();
        let before = self.nodes[node].disk.rows().len();
        self.nodes[node].crash(&mut self.rng);
        let survived = self.nodes[node].disk.rows().len() - before;
        self.coverage.crashes += 1;
        self.coverage.torn_rows += (unsynced - survived) as u64;
        let image = if restores {
            self.nodes[node].image.take()
        } else {
            None
        };
        if let Some(image) = image {
            self.restore(node, image);
        }
        if reboots {
            self.coverage.reboots += 1;
            let boot = BootId(self.rng.uuid());
            self.nodes[node].clock.reboot(boot, self.at);
        }
        self.schedule(self.at + stays_down, Event::Fault(Fault::Start { node }));
    }

    /// An old image of the disk takes the place of what was there. What the core had not heard of
    /// is lost with it.
    fn restore(&mut self, node: usize, image: super::disk::Disk) {
        self.coverage.restored_images += 1;
        let held = &mut self.nodes[node];
        let gone = std::mem::replace(&mut held.disk, image);
        held.was_restored = true;
        let rows = gone.journals.iter().flat_map(|(_, rows)| rows);
        for decision in rows.filter_map(admission) {
            self.model.lost.push(decision);
        }
    }

    fn recount(&mut self, node: usize, damage: bool) {
        let held = &mut self.nodes[node];
        if held.frozen_until > self.at {
            return;
        }
        let Some(store) = held
            .disk
            .replica
            .as_mut()
            .filter(|_| held.machine.is_some())
        else {
            return;
        };
        if damage && let Some(row) = store.rows.values_mut().next_back() {
            // One bit, somewhere in a value that is not read as a number.
            let last = row.len() - 1;
            row[last] ^= 1;
        }
        let (position, digest) = (store.position, store.recomputed());
        if damage {
            // The row is not to be read any more: the shell throws the file away on the spot.
            held.disk.drop_replica();
        }
        self.feed(node, Input::Recomputed { position, digest });
    }

    fn revoke_node(&mut self, node: usize) {
        if self.nodes.iter().filter(|held| !held.was_revoked).count() < 2 {
            return;
        }
        self.coverage.revoked_nodes += 1;
        self.nodes[node].was_revoked = true;
        let gates = self.nodes[node].gates.clone();
        let entry = NodeEntry {
            label: "revoked".to_owned(),
            gates,
            revoked: true,
        };
        let id = self.nodes[node].id;
        self.core.publish(
            Subject::Node(id),
            Value::Node(entry),
            self.at,
            &mut self.rng,
        );
        self.watch_feed();
        let config = World::unsigned(Down::Config(Config { revoked: true }));
        self.send_down(node, &config);
    }

    fn revoke_ticket(&mut self) {
        if self.guests.all.is_empty() {
            return;
        }
        let guest = self.rng.index(self.guests.all.len());
        let ticket = model::ticket_id(self.guests.all[guest].number);
        let Some(held) = self.core.tickets.get_mut(&ticket) else {
            return;
        };
        held.standing.revoked = true;
        self.guests.all[guest].honest = false;
        self.core.publish_ticket(ticket, self.at, &mut self.rng);
        self.watch_feed();
    }
}

fn admission(row: &SealedRow) -> Option<eventify_protocol::ids::ScanId> {
    match &row.row().entry {
        JournalEntry::Decision(decision) if decision.verdict == Verdict::Admit => {
            Some(decision.scan)
        }
        JournalEntry::Opened { .. } | JournalEntry::Decision(_) | JournalEntry::Voided { .. } => {
            None
        }
    }
}
