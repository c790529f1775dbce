//! The line to the node: access, stream, status, and what the node says about itself.
//!
//! It comes back by itself, whatever happened: also where pairing anew seems needed, because anybody on
//! the LAN can answer in the node's place with another key.

use std::time::Duration;

use eventify_lan_client::{ClientError, Refusal};
use eventify_protocol::{
    ids::GateId,
    lan::{GateStatus, NodeStatus, StreamEvent},
    time::BootTime,
};

use super::{health::Health, outbox::Outbox};
use crate::{
    io::{Call, CallId, Now},
    view::PairAgainReason,
};

/// Pauses between attempts to reach a node that is gone: people wait in front of it.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The node answers and refuses.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
const PAIR_AGAIN_PAUSE: Duration = Duration::from_secs(15);
/// A stream that ends sooner than this after it was opened is not opened again at once.
const SHORT_STREAM: Duration = Duration::from_secs(1);
/// While gates are chosen from.
const STATUS_PAUSE: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(super) struct Link {
    renewing: Option<CallId>,
    asking: Option<CallId>,
    stream: Option<Stream>,
    /// The access is good; it is renewed from here on.
    renew_at: Option<BootTime>,
    wants_status: bool,
    retry_at: Option<BootTime>,
    failures: u32,
    /// Milliseconds since the Unix epoch.
    unreachable_since: Option<u64>,
    pub(super) pair_again: Option<PairAgainReason>,
    /// The node has answered since the start.
    answered: bool,
    pub(super) status: Option<NodeStatus>,
    counts: Option<(Vec<GateStatus>, u64)>,
    pub(super) health: Health,
}

#[derive(Debug)]
struct Stream {
    call: CallId,
    /// None while it is being opened.
    opened: Option<BootTime>,
}

impl Link {
    /// With the access that came with a pairing.
    pub(super) fn with_access(life: Duration, now: Now) -> Self {
        let mut link = Self::default();
        link.renewed(life, now);
        link
    }

    pub(super) fn has_access(&self) -> bool {
        self.renew_at.is_some()
    }

    pub(super) fn has_answered(&self) -> bool {
        self.answered
    }

    pub(super) fn unreachable_since(&self) -> Option<u64> {
        self.unreachable_since
    }

    pub(super) fn retry_in(&self, now: BootTime) -> Duration {
        self.retry_at.map_or(Duration::ZERO, |at| at.since(now))
    }

    /// What is to be asked next.
    pub(super) fn drive(&mut self, now: Now, out: &mut Outbox) {
        if self.renewing.is_some() || self.retry_at.is_some_and(|at| at > now.boot) {
            return;
        }
        self.retry_at = None;
        if self.renew_at.is_none_or(|at| at <= now.boot) {
            self.renewing = Some(out.call(Call::Renew));
            return;
        }
        if self.stream.is_none() {
            let call = out.call(Call::Listen);
            self.stream = Some(Stream { call, opened: None });
        }
        if self.wants_status && self.asking.is_none() {
            self.wants_status = false;
            self.asking = Some(out.call(Call::Status));
        }
    }

    pub(super) fn next(&self) -> Option<BootTime> {
        let due = if self.renewing.is_some() {
            None
        } else {
            self.retry_at.or(self.renew_at)
        };
        let health = self.health.next();
        [due, health].into_iter().flatten().min()
    }

    pub(super) fn ask_status(&mut self) {
        self.wants_status = true;
    }

    /// The access has ended before its time: the node was restarted.
    pub(super) fn access_ended(&mut self) {
        self.renew_at = None;
    }

    pub(super) fn on_renewed(
        &mut self,
        call: CallId,
        result: Result<Duration, ClientError>,
        now: Now,
    ) {
        if self.renewing != Some(call) {
            return;
        }
        self.renewing = None;
        match result {
            Ok(life) => {
                self.ok();
                self.renewed(life, now);
                // What the venue has changed since: names, times. A stream begins with a status.
                self.wants_status |= self.stream.is_some();
            }
            Err(error) => {
                self.renew_at = None;
                self.failed(&error, now);
            }
        }
    }

    pub(super) fn on_status(
        &mut self,
        call: CallId,
        result: Result<Box<NodeStatus>, ClientError>,
        now: Now,
    ) {
        if self.asking != Some(call) {
            return;
        }
        self.asking = None;
        match result {
            Ok(status) => {
                self.ok();
                self.counts = Some((status.gates.clone(), now.wall_ms()));
                self.health.on_status(&status, now);
                self.status = Some(*status);
            }
            Err(error) => {
                self.wants_status = true;
                self.failed(&error, now);
            }
        }
    }

    pub(super) fn on_listening(&mut self, call: CallId, result: Result<(), ClientError>, now: Now) {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.call == call) else {
            return;
        };
        match result {
            Ok(()) => {
                stream.opened = Some(now.boot);
                self.wants_status = true;
                self.ok();
            }
            Err(error) => {
                self.stream = None;
                self.failed(&error, now);
            }
        }
    }

    pub(super) fn on_event(&mut self, call: CallId, event: StreamEvent, now: Now) {
        if self
            .stream
            .as_ref()
            .is_none_or(|stream| stream.call != call)
        {
            return;
        }
        self.ok();
        match event {
            StreamEvent::Counts { gates } => self.counts = Some((gates, now.wall_ms())),
            // At another mode people need what the venue wants of them now: its procedure above all.
            mode @ StreamEvent::Mode { .. } => {
                self.wants_status |= self.health.on_event(mode, now);
            }
        }
    }

    pub(super) fn on_ended(&mut self, call: CallId, now: Now) {
        let Some(stream) = self.stream.take_if(|stream| stream.call == call) else {
            return;
        };
        if stream
            .opened
            .is_none_or(|at| now.boot.since(at) < SHORT_STREAM)
        {
            self.retry(BUSY_PAUSE, now);
        }
    }

    /// The node has answered something.
    pub(super) fn ok(&mut self) {
        self.failures = 0;
        self.unreachable_since = None;
        self.pair_again = None;
        self.answered = true;
    }

    /// A call has failed: of this file, or a scan.
    pub(super) fn failed(&mut self, error: &ClientError, now: Now) {
        match error {
            ClientError::Refused(refusal) => self.refused(refusal, now),
            ClientError::WrongKey => self.forget(PairAgainReason::OtherNode, now),
            ClientError::NoAnswer(_) | ClientError::Setup(_) | ClientError::Malformed { .. } => {
                let is_streaming = self
                    .stream
                    .as_ref()
                    .is_some_and(|stream| stream.opened.is_some());
                if !is_streaming {
                    let since = self.unreachable_since;
                    self.unreachable_since = since.or(Some(now.wall_ms()));
                    let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8));
                    self.failures = self.failures.saturating_add(1);
                    self.retry(pause.min(MAX_PAUSE), now);
                }
            }
        }
    }

    fn refused(&mut self, refusal: &Refusal, now: Now) {
        self.failures = 0;
        self.unreachable_since = None;
        self.answered = true;
        match refusal.error.code.as_str() {
            "token_expired" => {
                // Renewed just now, and ended again: no loop.
                if self.renew_at.is_none() {
                    self.retry(BUSY_PAUSE, now);
                }
                self.renew_at = None;
            }
            "scanner_unknown" => self.forget(PairAgainReason::Unpaired, now),
            "scanner_expired" => self.forget(PairAgainReason::Expired, now),
            _ => self.retry(refusal.retry_after.unwrap_or(BUSY_PAUSE), now),
        }
    }

    fn forget(&mut self, reason: PairAgainReason, now: Now) {
        self.pair_again = Some(reason);
        self.answered = true;
        self.unreachable_since = None;
        self.renew_at = None;
        self.retry(PAIR_AGAIN_PAUSE, now);
    }

    fn renewed(&mut self, life: Duration, now: Now) {
        // In time for many failed attempts before its end, as `Scanner::renew_after` says.
        self.renew_at = Some(now.boot.plus(life / 2));
    }

    fn retry(&mut self, pause: Duration, now: Now) {
        self.retry_at = Some(now.boot.plus(pause));
    }

    /// While there is nothing to choose from, the node is asked again.
    pub(super) fn poll_gates(&mut self, now: Now) {
        if !self.wants_status && self.asking.is_none() && self.retry_at.is_none() {
            self.wants_status = true;
            self.retry(STATUS_PAUSE, now);
        }
    }

    #[cfg(test)]
    pub(super) fn stream_call(&self) -> Option<CallId> {
        self.stream.as_ref().map(|stream| stream.call)
    }

    /// The newest counts of a gate, and when they came.
    pub(super) fn counts(&self, gate: GateId) -> Option<(&GateStatus, u64)> {
        let (gates, at) = self.counts.as_ref()?;
        let gate = gates.iter().find(|known| known.gate_id == gate)?;
        Some((gate, *at))
    }
}
