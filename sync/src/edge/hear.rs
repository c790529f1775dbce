//! What the machine does with the core's messages and with what follows from them.

use eventify_protocol::ids::SnapshotId;
use eventify_protocol::sync::{
    Config, DIGEST_ALGORITHM, Delta, JournalAck, JournalHead, Plan, Position, SealedRow, SyncPoint,
    Welcome,
};

use super::{
    Alarm, Machine, Now, Output, Received, RestoredReplica,
    age::Answered,
    journal::{CoreEnd, Heard},
    pull::{PAUSE, Pulling, Target},
    replica::Joined,
    scan::Stage,
};

impl Machine {
    pub(super) fn hear(&mut self, message: Received, now: Now) {
        match message {
            Received::Welcome(welcome) => self.welcome(&welcome, now),
            Received::Point(point) => self.point(&point, now),
            Received::Verdict(verdict) => self.verdict(verdict, now),
            Received::Delta(delta) => self.delta(delta, now),
            Received::Chunk(chunk) => {
                if let Some(pulling) = &mut self.pulling {
                    pulling.chunk(chunk, now, &mut self.out);
                }
            }
            Received::JournalAck(ack) => self.acknowledged(ack, now),
            Received::Config(config) => self.configure(&config),
        }
    }

    /// Only an answer to an own, open question says anything about time.
    fn point(&mut self, point: &SyncPoint, now: Now) {
        if (point.node, point.venue) != (self.node, self.venue) {
            return;
        }
        let Some(asked) = self.link.answered(point.nonce, now) else {
            return;
        };
        let answered = Answered {
            asked,
            at: now.boottime,
            core: point.core,
            truth: point.truth,
        };
        self.time.answered(answered, now);
        self.answered_by = Some(point.epoch);
        if self.welcomed_by.is_some_and(|epoch| epoch != point.epoch) {
            self.greeting.plan_if_idle(now);
        }
        self.replica.note_point(point, answered);
        match self.replica.epoch() {
            Some(epoch) if epoch != point.epoch => self.greet_unless_pulling(now),
            Some(_) => self.expect(point.position, now),
            None => {}
        }
    }

    fn expect(&mut self, position: Position, now: Now) {
        let reached = self.replica.reached();
        if reached < position {
            self.greeting.expect(position, reached, now);
        }
    }

    fn welcome(&mut self, welcome: &Welcome, now: Now) {
        if !self.greeting.answered(welcome.answers, now) {
            return;
        }
        if welcome.algorithm != DIGEST_ALGORITHM {
            return self
                .out
                .alarm(Alarm::UnknownDigestAlgorithm(welcome.algorithm));
        }
        let held = self.replica.epoch();
        if let Some(from) = held.filter(|epoch| *epoch != welcome.epoch) {
            self.out.alarm(Alarm::EpochChanged {
                from,
                to: welcome.epoch,
            });
        }
        self.welcomed_by = Some(welcome.epoch);
        self.replica.heard_head(welcome.head);
        match welcome.plan {
            // The store is about to swap: what joins on is asked for again then.
            _ if self.is_swapping() => {}
            Plan::Delta { from } => self.pursue(welcome, from, now),
            Plan::Snapshot {
                id,
                position,
                chunks,
                hash,
            } => {
                let (epoch, digest_key) = (welcome.epoch, welcome.digest_key);
                let target = Target {
                    snapshot: id,
                    epoch,
                    position,
                    chunks,
                    hash,
                    digest_key,
                };
                self.pull(target, now);
            }
        }
        let nothing = JournalHead::empty(self.journal.head().incarnation);
        let head = welcome.journal.unwrap_or(nothing);
        let ack = JournalAck {
            incarnation: head.incarnation,
            seq: head.seq,
            hash: head.hash,
            position: welcome.head,
            epoch: welcome.epoch,
        };
        let heard = self
            .journal
            .heard(CoreEnd { ack, whole: true }, now, &mut self.out);
        self.journal_heard(heard, now);
    }

    /// The replica is joined on.
    fn pursue(&mut self, welcome: &Welcome, from: Position, now: Now) {
        self.pulling = None;
        self.partial = None;
        if self.replica.epoch() != Some(welcome.epoch) {
            if self.replica.adopt(welcome.epoch, welcome.digest_key, from) {
                let (epoch, digest_key) = (welcome.epoch, welcome.digest_key);
                self.out.push(Output::Adopt { epoch, digest_key });
            } else {
                return self.greeting.plan(now.boottime.plus(PAUSE));
            }
        }
        self.expect(welcome.head, now);
    }

    /// A snapshot on its way brings the replica where it has to be.
    fn greet_unless_pulling(&mut self, now: Now) {
        if self.pulling.is_none() {
            self.greeting.plan_if_idle(now);
        }
    }

    /// All chunks of a snapshot are with the store, its report is awaited.
    fn is_swapping(&self) -> bool {
        self.pulling.as_ref().is_some_and(Pulling::is_whole)
    }

    /// A snapshot that is under way goes on although the core has a newer one by now: what follows
    /// it comes as deltas, and on a slow line nothing else would ever be whole.
    fn pull(&mut self, target: Target, now: Now) {
        if let Some(pulling) = &mut self.pulling
            && pulling.epoch() == target.epoch
        {
            return pulling.resume(now, &mut self.out);
        }
        if self.unwanted.is_some() {
            // The report of the one given up must not be taken for this one's.
            return self.greeting.plan(now.boottime.plus(PAUSE));
        }
        let running = self.pulling.take().map(|pulling| pulling.partial());
        let earlier = running.or(self.partial.take());
        self.pulling = Some(Pulling::begin(target, earlier, now, &mut self.out));
    }

    fn delta(&mut self, delta: Delta, now: Now) {
        if self.is_swapping() {
            return;
        }
        match self.replica.join(delta) {
            Joined::Apply(delta) => self.out.push(Output::Apply(delta)),
            Joined::Nothing => {}
            Joined::Gap if self.pulling.is_none() => self.greeting.gap(now),
            Joined::Gap => {}
            Joined::Foreign => self.greet_unless_pulling(now),
        }
    }

    /// An acknowledgement of another epoch's position says nothing about this replica.
    fn acknowledged(&mut self, ack: JournalAck, now: Now) {
        if self.welcomed_by != Some(ack.epoch) {
            return self.greeting.plan_if_idle(now);
        }
        let heard = self
            .journal
            .heard(CoreEnd { ack, whole: false }, now, &mut self.out);
        self.journal_heard(heard, now);
    }

    pub(super) fn journal_heard(&mut self, heard: Heard, now: Now) {
        match heard {
            Heard::Nothing => {}
            Heard::Acknowledged(ack) => {
                self.overlay
                    .acknowledged(ack.seq, (ack.epoch, ack.position));
                self.out.push(Output::Acknowledged(ack));
            }
            Heard::Rewound(ack) => {
                self.overlay.rewind(ack.seq, (ack.epoch, ack.position));
                self.out.push(Output::Acknowledged(ack));
            }
            Heard::AnotherFile => self.greeting.plan_if_idle(now),
            Heard::Fork { core, own } => {
                self.out.alarm(Alarm::JournalFork { core, own });
                self.journal.begin_fork(core);
            }
        }
    }

    /// Rows that a failover has lost are read again: with them the overlay is whole.
    pub(super) fn reread(&mut self, rows: &[SealedRow]) {
        if self.journal.is_rereading() {
            for row in rows {
                self.overlay_row(row);
            }
        }
    }

    pub(super) fn journal_opened(&mut self, rows: &[SealedRow], head: JournalHead, now: Now) {
        self.overlay.renumber();
        self.journal.opened(head, rows);
        for row in rows {
            self.overlay_row(row);
        }
        self.greeting.plan(now.boottime);
        for scan in self.scans.in_stage(|stage| matches!(stage, Stage::Waiting)) {
            self.route(scan, now);
        }
    }

    pub(super) fn snapshot_ready(
        &mut self,
        snapshot: SnapshotId,
        replica: RestoredReplica,
        now: Now,
    ) {
        self.unwanted.take_if(|held| *held == snapshot);
        // One that was given up was thrown away by an output behind the one that finished it.
        let awaited = |pulling: &mut Pulling| pulling.snapshot() == snapshot && pulling.is_whole();
        if self.pulling.take_if(awaited).is_none() {
            return;
        }
        self.replica.install(replica);
        // What was proven was proven of another replica.
        self.time.forget_proof();
        self.greeting.plan(now.boottime);
        self.look_up_again(now);
    }

    pub(super) fn snapshot_failed(&mut self, snapshot: SnapshotId, now: Now) {
        self.out.alarm(Alarm::SnapshotRefused);
        self.unwanted.take_if(|held| *held == snapshot);
        self.pulling
            .take_if(|pulling| pulling.snapshot() == snapshot);
        self.greeting.plan(now.boottime.plus(PAUSE));
    }

    fn configure(&mut self, config: &Config) {
        if self.revoked == config.revoked {
            return;
        }
        self.revoked = config.revoked;
        self.out.push(Output::SaveRevoked(config.revoked));
        if config.revoked {
            self.out.alarm(Alarm::Revoked);
        }
    }
}
