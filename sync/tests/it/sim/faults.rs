//! Trouble, as it comes.

use eventify_protocol::{
    ids::{BootId, IncarnationId},
    sync::{Config, Down, JournalEntry, JournalHead, NodeEntry, SealedRow, Subject, Value},
    verdict::Verdict,
};
use eventify_sync::core::Validity;
use eventify_sync::edge::Input;

use super::{
    chaos::{Fault, Moment},
    clock::{MS, Nanos, S},
    event::{AtNode, Event},
    model,
    world::World,
};

impl World {
    pub(crate) fn fault(&mut self, fault: Fault) {
        let ends_trouble = matches!(fault, Fault::Start { .. } | Fault::GoOn { .. });
        if self.calm && !ends_trouble {
            return;
        }
        self.trace_line(|| format!("fault {fault:?}"));
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
            Fault::Ambush { node, moment, by } => self.nodes[node].ambush = Some((moment, by)),
            Fault::Pause { node, lasts } => self.pause(node, lasts),
            Fault::GoOn { node, life, lasts } => self.go_on_after_pause(node, life, lasts),
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
            Fault::HoldJournal { node, lasts } => {
                let held = &mut self.nodes[node];
                held.held_until = held.held_until.max(self.at + lasts);
            }
            Fault::Image { node } => {
                self.nodes[node].image = Some(self.nodes[node].disk.clone());
            }
            Fault::Shorten { node } => self.shorten(node),
            Fault::Copy { node } => self.copy_disk(node),
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
            Fault::OpenRefund { whose } => self.open_refund(whose),
            Fault::EndRefund { refund } => self.end_refund(refund),
            Fault::Compact => self.core.make_snapshot(true, &mut self.rng),
            Fault::StallFeed { lasts } => self.core.stall(self.at + lasts),
            Fault::MoveShow { away } => self.move_show(away),
            Fault::Policy => {
                let limit = [0, 10_000, 60_000, 300_000][self.rng.index(4)];
                self.set_policy(limit);
            }
        }
        if matches!(fault, Fault::StallFeed { .. }) {
            self.watch_feed();
        }
    }

    fn pause(&mut self, node: usize, lasts: Nanos) {
        let held = &mut self.nodes[node];
        if held.frozen_until > self.at {
            return;
        }
        held.frozen_until = self.at + lasts;
        let life = held.life;
        self.coverage.pauses += 1;
        let goes_on = Fault::GoOn { node, life, lasts };
        self.schedule(self.at + lasts, Event::Fault(goes_on));
    }

    fn go_on_after_pause(&mut self, node: usize, life: u32, lasts: Nanos) {
        let held = &mut self.nodes[node];
        if held.life == life && held.clock.stood_still(lasts, self.at) {
            held.paused += lasts;
            // Its timers are later than they were armed for.
            held.armed = None;
            self.arm(node);
        }
    }

    /// The moment of an ambush has come.
    pub(crate) fn spring(&mut self, node: usize, moment: Moment) {
        if let Some((_, by)) = self.nodes[node].ambush.take_if(|held| held.0 == moment) {
            self.trace_line(|| format!("node {node} wall clock set by {by} µs: {moment:?}"));
            self.coverage.ambushes += 1;
            self.nodes[node].clock.set_wall(by);
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
        self.coverage.crashes += 1;
        self.coverage.torn_rows += self.kill(node) as u64;
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

    /// The process dies. How many rows that were being written did not reach the disk: what they say has not
    /// happened.
    fn kill(&mut self, node: usize) -> usize {
        let held = &mut self.nodes[node];
        let unsynced = held.unsynced.clone();
        let before = held.disk.rows().len();
        held.crash(&mut self.rng);
        let survived = held.disk.rows().len() - before;
        let lost = unsynced.iter().skip(survived);
        lost.clone()
            .for_each(|row| self.supervisors.forget(row.row()));
        lost.count()
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

    fn shorten(&mut self, node: usize) {
        if self.nodes[node].machine.is_none() {
            return;
        }
        let left = self.rng.index(self.nodes[node].disk.rows().len());
        let left = if self.rng.percent(30) { 0 } else { left };
        self.crash(node, 2 * S, false, false);
        self.coverage.shortened += 1;
        let cut = self.nodes[node].disk.shorten(left);
        self.nodes[node].was_restored = true;
        for scan in cut.iter().filter_map(admission) {
            self.model.lost.push(scan);
        }
    }

    /// The node has stopped because of what it lacks, and somebody goes on without that.
    pub(crate) fn go_on_after_loss(&mut self, node: usize, known: JournalHead) {
        self.coverage.went_on_after_loss += 1;
        self.trace_line(|| format!("node {node} goes on without what is lost up to {known:?}"));
        if self.nodes[node].machine.is_some() {
            self.kill(node);
            let stays_down = self.rng.between(S, 5 * S);
            self.schedule(self.at + stays_down, Event::Fault(Fault::Start { node }));
        }
        let incarnation = IncarnationId(self.rng.uuid());
        let held = &mut self.nodes[node];
        let now = held.now(self.at);
        let at = eventify_protocol::sync::Moment {
            boot: held.clock.boot,
            boottime: now.boottime,
            wall: now.wall,
            core: None,
        };
        let ids = (held.id, incarnation);
        held.disk.begin_after_loss(ids, known, at);
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
            // The row can no longer be read: the shell deletes the file at once.
            held.disk.delete_replica();
        }
        self.step_node(node, Input::DigestRecomputed { position, digest });
    }

    fn revoke_node(&mut self, node: usize) {
        if self.nodes.iter().filter(|held| !held.was_revoked).count() < 2 {
            return;
        }
        self.coverage.revoked_nodes += 1;
        let id = self.nodes[node].id;
        for held in self.nodes.iter_mut().filter(|held| held.id == id) {
            held.was_revoked = true;
        }
        self.publish_revocation(node);
    }

    /// A failover may have lost it: the administrator does it again.
    pub(crate) fn revoke_again(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].was_revoked {
                self.publish_revocation(node);
            }
        }
    }

    fn publish_revocation(&mut self, node: usize) {
        let id = self.nodes[node].id;
        let gates = self.nodes[node].gates.clone();
        let entry = NodeEntry {
            label: "revoked".to_owned(),
            gates,
            revoked: true,
        };
        self.core.publish(
            Subject::Node(id),
            Value::Node(entry),
            self.at,
            &mut self.rng,
        );
        self.watch_feed();
        let config = World::unsigned(Down::Config(Config {
            revoked: true,
            duplicate: None,
            scanners: None,
            time_zone: None,
        }));
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
        held.standing.validity = Validity::Revoked;
        self.watch_validity(ticket);
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
        JournalEntry::Overridden(act) => Some(act.scan),
        JournalEntry::Opened { .. }
        | JournalEntry::Decision(_)
        | JournalEntry::Voided { .. }
        | JournalEntry::RefusedAgain { .. }
        | JournalEntry::Unreadable { .. }
        | JournalEntry::Searched(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => None,
    }
}
