//! Messages to the core, and what the machine does with the core's.

use std::time::Duration;

use eventify_protocol::{
    lan::JournalFault,
    sync::{
        Ask, Config, DIGEST_ALGORITHM, Delta, Health, Hello, JournalAck, JournalHead, Plan,
        Position, SnapshotGone, SyncPoint, Up, Welcome,
    },
};

use super::{
    Alarm, CoreMessage, Machine, Now, Output, ReplicaOutput, SnapshotPlan, Stop, age::TimeSample,
    hello::PAUSE, journal::CoreEnd, pull::Pulling, replica::DeltaCheck,
};

/// How often the core gets the node's health.
const HEALTH_INTERVAL: Duration = Duration::from_secs(10);

impl Machine {
    pub(super) fn ask(&mut self, now: Now) {
        let nonce = self.outputs.random.nonce();
        self.outputs.send(Up::Ask(Ask { nonce }));
        self.connectivity.insert_question(nonce, now);
    }

    pub(super) fn greet(&mut self, now: Now) {
        let hello = Hello {
            boot: self.boot,
            epoch: self.replica.epoch(),
            head: self.replica.applied(),
            digest: self.replica.digest(),
            algorithms: vec![DIGEST_ALGORITHM],
            journal: self.journal.head(),
            software: self.software.clone(),
            session: Some(self.session),
            sent_after: self.time.bounds(now).map(|bounds| bounds.earliest),
        };
        let id = self.outputs.send(Up::Hello(hello));
        self.greeting.sent(id, now);
    }

    pub(super) fn send_health(&mut self, now: Now) {
        self.health_at = now.boottime.plus(HEALTH_INTERVAL);
        let ruling = self.node_state(now).ruling();
        let age = self.time.age(now);
        self.outputs.send(Up::Health(Health {
            mode: self.display(ruling.mode),
            cache_age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            head: self.replica.applied(),
            unacknowledged: self.journal.unacknowledged(),
            free_bytes: self.free_bytes,
            software: self.software.clone(),
            mode_number: Some(self.mode_number),
            unreadable: Some(self.counts.values().map(|it| it.unreadable).sum()),
            journal_fault: self.journal_fault,
        }));
    }

    /// That nobody is let in is said at once, and that it is over.
    pub(super) fn on_room(&mut self, free_bytes: u64, fault: Option<JournalFault>, now: Now) {
        self.free_bytes = free_bytes;
        if self.journal_fault != fault {
            self.journal_fault = fault;
            self.health_at = now.boottime;
        }
        if self.is_journal_held() {
            self.give_up_on_journal(now);
        }
    }

    pub(super) fn receive(&mut self, message: CoreMessage, now: Now) {
        match message {
            CoreMessage::Welcome(welcome) => self.on_welcome(&welcome, now),
            CoreMessage::Point(point) => self.on_point(&point, now),
            CoreMessage::Verdict(verdict) => self.on_verdict(verdict, now),
            CoreMessage::Delta(delta) => self.on_delta(delta, now),
            CoreMessage::Chunk(chunk) => {
                if let Some(pulling) = &mut self.pulling {
                    pulling.insert_chunk(chunk, now, &mut self.outputs);
                }
            }
            CoreMessage::JournalAck(ack) => self.on_journal_ack(ack, now),
            CoreMessage::Config(config) => self.on_config(&config),
            CoreMessage::SnapshotGone(gone) => self.on_snapshot_gone(gone, now),
            CoreMessage::ForShell => {}
        }
    }

    /// Only an answer to an own, open question proves anything about time.
    fn on_point(&mut self, point: &SyncPoint, now: Now) {
        if (point.node, point.venue) != (self.node, self.venue) {
            return;
        }
        let Some(asked) = self.connectivity.close_question(point.nonce, now) else {
            return;
        };
        let sample = TimeSample {
            asked,
            at: now.boottime,
            core: point.core,
            truth: point.truth,
        };
        self.time.insert_sample(sample, now);
        self.answered_by = Some(point.epoch);
        if self.welcomed_by.is_some_and(|epoch| epoch != point.epoch) {
            self.greeting.plan_if_idle(now);
        }
        self.replica.insert_point(point, sample);
        match self.replica.epoch() {
            Some(epoch) if epoch != point.epoch => self.greet_unless_pulling(now),
            Some(_) => self.expect_deltas(point.position, now),
            None => {}
        }
    }

    fn expect_deltas(&mut self, head: Position, now: Now) {
        let reached = self.replica.requested();
        if reached < head {
            self.greeting.expect_deltas(head, reached, now);
        }
    }

    fn on_welcome(&mut self, welcome: &Welcome, now: Now) {
        if !self.greeting.close(welcome.answers, now) {
            return;
        }
        if welcome.algorithm != DIGEST_ALGORITHM {
            let alarm = Alarm::UnknownDigestAlgorithm(welcome.algorithm);
            return self.outputs.alarm(alarm);
        }
        let (epoch, digest_key) = (welcome.epoch, welcome.digest_key);
        if let Some(from) = self.replica.epoch().filter(|from| *from != epoch) {
            self.outputs.alarm(Alarm::EpochChanged { from, to: epoch });
        }
        self.welcomed_by = Some(epoch);
        self.replica.update_head(welcome.head);
        match welcome.plan {
            // The store is about to swap: what follows is requested after that.
            _ if self.is_swapping() => {}
            Plan::Delta { from } => self.continue_from(from, welcome, now),
            Plan::Snapshot {
                id,
                position,
                chunks,
                hash,
            } => {
                let plan = SnapshotPlan {
                    snapshot: id,
                    epoch,
                    position,
                    chunks,
                    hash,
                    digest_key,
                };
                self.pull(plan, now);
            }
        }
        let nothing = JournalHead::empty(self.journal.head().incarnation);
        let head = welcome.journal.unwrap_or(nothing);
        let ack = JournalAck {
            incarnation: head.incarnation,
            seq: head.seq,
            hash: head.hash,
            position: welcome.head,
            epoch,
        };
        self.compare_journal(CoreEnd { ack, whole: true }, now);
    }

    /// The replica's rows are those of the core at `from`: deltas follow.
    fn continue_from(&mut self, from: Position, welcome: &Welcome, now: Now) {
        self.pulling = None;
        self.partial = None;
        let (epoch, digest_key) = (welcome.epoch, welcome.digest_key);
        if self.replica.epoch() != Some(epoch) {
            if !self.replica.adopt(epoch, digest_key, from) {
                return self.greeting.plan(now.boottime.plus(PAUSE));
            }
            let adopt = ReplicaOutput::Adopt { epoch, digest_key };
            self.outputs.push(adopt);
        }
        self.expect_deltas(welcome.head, now);
    }

    /// A snapshot under way brings the replica where it has to be.
    fn greet_unless_pulling(&mut self, now: Now) {
        if self.pulling.is_none() {
            self.greeting.plan_if_idle(now);
        }
    }

    /// The store has all chunks of a snapshot; its report is awaited.
    fn is_swapping(&self) -> bool {
        self.pulling.as_ref().is_some_and(Pulling::is_whole)
    }

    /// A snapshot under way goes on although the core has a newer one by now: what follows it comes
    /// as deltas, and on a slow line no snapshot would ever be complete otherwise.
    fn pull(&mut self, plan: SnapshotPlan, now: Now) {
        if let Some(pulling) = &mut self.pulling
            && pulling.epoch() == plan.epoch
        {
            return pulling.resume(now, &mut self.outputs);
        }
        if self.abandoned.is_some() {
            // The report of the one given up must not be taken for this one's.
            return self.greeting.plan(now.boottime.plus(PAUSE));
        }
        let running = self.pulling.take().map(|pulling| pulling.partial());
        let earlier = running.or(self.partial.take());
        let outputs = &mut self.outputs;
        self.pulling = Some(Pulling::begin(plan, earlier, now, outputs));
    }

    /// The core will send no more of it, so it is asked for another one.
    fn on_snapshot_gone(&mut self, gone: SnapshotGone, now: Now) {
        let is_waiting =
            |pulling: &mut Pulling| pulling.snapshot() == gone.snapshot && !pulling.is_whole();
        if self.pulling.take_if(is_waiting).is_some() {
            self.greeting.plan_if_idle(now);
        }
    }

    fn on_delta(&mut self, delta: Delta, now: Now) {
        if self.is_swapping() {
            return;
        }
        match self.replica.check_delta(delta) {
            DeltaCheck::Apply(delta) => self.outputs.push(ReplicaOutput::Apply(delta)),
            DeltaCheck::Gap if self.pulling.is_none() => self.greeting.on_gap(now),
            DeltaCheck::Gap | DeltaCheck::NothingNew => {}
            DeltaCheck::Foreign => self.greet_unless_pulling(now),
        }
    }

    /// An acknowledgement with a position of another epoch proves nothing about this replica.
    fn on_journal_ack(&mut self, ack: JournalAck, now: Now) {
        if self.welcomed_by == Some(ack.epoch) {
            self.compare_journal(CoreEnd { ack, whole: false }, now);
        } else {
            self.greeting.plan_if_idle(now);
        }
    }

    fn on_config(&mut self, config: &Config) {
        if config.duplicate == Some(self.session) {
            return self.outputs.push(Output::Stop(Stop::Duplicate));
        }
        if self.revoked == config.revoked {
            return;
        }
        self.revoked = config.revoked;
        let update = ReplicaOutput::UpdateRevoked(config.revoked);
        self.outputs.push(update);
        if config.revoked {
            self.outputs.alarm(Alarm::Revoked);
        }
    }
}
