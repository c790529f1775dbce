//! Carries out the machines' outputs.

use eventify_protocol::{
    sync::{JournalEntry, SealedRow, Up},
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_sync::edge::{
    Alarm, Input, JournalOutput, Machine, Output, Reason, ReplicaOutput, Stop,
};

use super::{chaos::Moment, clock::MS, event::AtNode, model::Mutation, world::World};

impl World {
    /// Takes all outputs of a machine, in order.
    pub(crate) fn carry_out(&mut self, node: usize) {
        while let Some(output) = self.nodes[node]
            .machine
            .as_mut()
            .and_then(Machine::poll_output)
        {
            self.act(node, output);
        }
        self.arm(node);
    }

    fn act(&mut self, node: usize, output: Output) {
        match output {
            Output::Send { id, message } => {
                self.watch_sent(node, &message);
                if let Up::Scan(scan) = &message {
                    self.nodes[node].moved.insert(scan.scan);
                }
                self.send_up(node, id, &message);
                if matches!(message, Up::Ask(_)) {
                    self.spring(node, Moment::Asked);
                }
            }
            Output::Reply { request, reply } => self.replied(node, request, reply),
            Output::Journal(output) => self.use_journal(node, output),
            Output::Replica(output) => self.use_replica(node, output),
            Output::Alarm(alarm) => self.alarm(node, &alarm),
            Output::Stop(Stop::Duplicate) => self.stop_duplicate(node),
            Output::Stop(Stop::JournalBehind { core, .. }) => {
                if !self.nodes[node].was_restored {
                    self.violated(format!("node {node} stops for no reason"));
                }
                self.go_on_after_loss(node, core);
            }
            Output::StatusChanged => self.status_changed(node),
        }
    }

    fn use_journal(&mut self, node: usize, output: JournalOutput) {
        match output {
            JournalOutput::Append(row) => self.append(node, *row),
            JournalOutput::ReadRows {
                incarnation,
                from,
                through,
                ..
            } => {
                if incarnation == self.nodes[node].disk.incarnation() {
                    let what = AtNode::ReadRows { from, through };
                    self.nodes[node].reading_rows += 1;
                    self.at_node_after(node, MS / 10, 2 * MS, what);
                }
            }
            JournalOutput::MarkAcknowledged(ack) => {
                self.nodes[node].watch.acknowledged(&ack);
                // Without fsync: now and then a crash comes first.
                if !self.rng.percent(10) {
                    self.nodes[node].disk.mark_acknowledged(ack);
                }
            }
            JournalOutput::BeginFile {
                incarnation,
                succeeds,
                at,
            } => {
                let what = AtNode::BeginFile {
                    incarnation,
                    succeeds,
                    at,
                };
                self.at_node_after(node, MS, 8 * MS, what);
            }
        }
    }

    fn use_replica(&mut self, node: usize, output: ReplicaOutput) {
        match output {
            ReplicaOutput::ReadTicket {
                scan,
                ticket,
                generation,
            } => {
                self.nodes[node].moved.insert(scan);
                let what = AtNode::ReadTicket {
                    scan,
                    ticket,
                    generation,
                };
                return self.at_node_after(node, MS / 10, 2 * MS, what);
            }
            ReplicaOutput::UpdateRevoked(revoked) => {
                self.nodes[node].disk.revoked = revoked;
                return;
            }
            ReplicaOutput::Apply(_) => self.coverage.deltas += 1,
            ReplicaOutput::Adopt { .. } => self.coverage.adoptions += 1,
            ReplicaOutput::BeginSnapshot(_)
            | ReplicaOutput::StoreChunk(_)
            | ReplicaOutput::FinishSnapshot { .. }
            | ReplicaOutput::Discard { .. }
            | ReplicaOutput::UpdateProof(_) => {}
        }
        let done = self.nodes[node].replica_done(self.at, &mut self.rng);
        self.at_node(node, done, AtNode::Replica(Box::new(output)));
    }

    /// Tells the checks what is sent to the core.
    fn watch_sent(&mut self, node: usize, message: &Up) {
        let at = self.at;
        let held = &mut self.nodes[node];
        let clocks = held.now(at);
        let now = clocks.boottime;
        match message {
            Up::Ask(ask) => held.watch.asks(ask.nonce, clocks),
            Up::Scan(scan) => {
                held.asked.insert(scan.scan);
                held.given_up.remove(&scan.scan);
                let may = held.watch.may_be_online(now);
                held.watch.scans(scan.scan, now);
                if !may {
                    self.violated(format!(
                        "node {node} asks a core that has not answered three times in a row: {:?}",
                        scan.scan
                    ));
                }
            }
            Up::Hello(_)
            | Up::Journal(_)
            | Up::Health(_)
            | Up::Pull(_)
            | Up::Scanners(_)
            | Up::Staff(_) => {}
        }
    }

    fn append(&mut self, node: usize, row: SealedRow) {
        self.trace_line(|| format!("node {node} row {}: {:?}", row.row().seq, row.row().entry));
        self.moves(node, &row.row().entry);
        if let JournalEntry::Decision(decision) = &row.row().entry
            && decision.decided_by == DecidedBy::Edge
        {
            // Online it has the core's answer, and an own admission against it.
            if self.nodes[node].asked.remove(&decision.scan) && decision.mode != Mode::Online {
                self.nodes[node].given_up.insert(decision.scan);
                self.coverage.gave_up_on_core += 1;
            }
            self.check_window(node, &row.row().at, decision);
            if decision.verdict == Verdict::Admit {
                self.check_lonely_admission(node, decision);
                self.spring(node, Moment::Decided);
            }
            self.check_refunded(node, decision);
            let is_held = decision.verdict == Verdict::TryAgain && decision.mode == Mode::Online;
            self.coverage.held_for_the_core += u64::from(is_held);
        }
        self.watch_act(node, row.row());
        self.check_moment(node, &row);
        let (incarnation, seq) = (row.row().incarnation, row.row().seq);
        self.nodes[node].watch.written(&row, self.at);
        self.nodes[node].unsynced.push(row);
        if self.mutation == Some(Mutation::AnswersBeforeTheDisk) {
            self.step_node(
                node,
                Input::RowsWritten {
                    incarnation,
                    through: seq,
                },
            );
        }
        self.sync(node);
    }

    fn moves(&mut self, node: usize, entry: &JournalEntry) {
        let scan = match entry {
            JournalEntry::Opened { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => return,
            JournalEntry::Decision(decision) => decision.scan,
            JournalEntry::Voided { scan, .. } => *scan,
        };
        self.nodes[node].moved.insert(scan);
        self.nodes[node].decided.insert(scan, self.at);
    }

    fn alarm(&mut self, node: usize, alarm: &Alarm) {
        self.trace_line(|| format!("node {node} alarm {alarm:?}"));
        match alarm {
            Alarm::DigestMismatch { .. } => {
                self.coverage.digest_mismatches += 1;
                self.check_mismatch(node);
            }
            Alarm::ReplicaDamaged => self.coverage.damaged_replicas += 1,
            Alarm::ClockNotTrusted => self.coverage.clocks_not_trusted += 1,
            Alarm::EpochChanged { .. } => self.coverage.epochs_changed += 1,
            Alarm::Voided(_) => self.coverage.voided += 1,
            Alarm::JournalFork { .. } => {
                self.nodes[node].forking = true;
                self.check_fork(node);
            }
            Alarm::SnapshotRefused if self.nodes[node].lost_a_pull => {}
            Alarm::SnapshotRefused | Alarm::UnknownDigestAlgorithm(_) => {
                self.violated(format!("node {node}: {alarm:?}"));
            }
            Alarm::Revoked => {}
        }
    }

    fn status_changed(&mut self, node: usize) {
        let now = self.nodes[node].now(self.at);
        let status = self.nodes[node]
            .machine
            .as_ref()
            .map(|machine| machine.status(now));
        let Some(status) = status else { return };
        self.trace_line(|| format!("node {node} {:?} {:?}", status.mode, status.reason));
        let coverage = &mut self.coverage;
        match status.reason {
            Some(Reason::CacheTooOld) => coverage.locked_too_old += 1,
            Some(Reason::ClockNotTrusted) => coverage.locked_clock += 1,
            Some(Reason::Unacknowledged) => coverage.locked_unacknowledged += 1,
            Some(Reason::NoProof) => coverage.locked_no_proof += 1,
            Some(Reason::CatchingUp) => coverage.degraded_catching_up += 1,
            Some(Reason::RowsLost) => coverage.locked_rows_lost += 1,
            Some(
                Reason::Revoked | Reason::DegradedOff | Reason::NoReplica | Reason::CoreSilent,
            )
            | None => {}
        }
        self.check_status(node, &status);
    }
}
