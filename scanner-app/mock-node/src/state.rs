//! What the node is like, and whom it knows.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use eventify_protocol::{
    ids::{NodeId, PerformanceId, ScannerId, VenueId},
    lan::{
        AccessToken, GatePerformance, GateStatus, JournalStatus, NamedGate, NodeStatus,
        ReplicaStatus, StreamEvent,
    },
    sync::{JournalHead, PerformanceState, Position},
    time::{BootTime, MAX_CACHE_AGE},
    verdict::Mode,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{acts::Acts, clock, people::Staff, scans::Scans};

const ACCESS_SECONDS: u64 = 600;
/// Of the one show.
pub(crate) const TITLE: &str = "The Magic Flute";
#[derive(Debug)]
pub(crate) struct State {
    node: NodeId,
    venue: VenueId,
    performance: PerformanceId,
    pub(crate) gates: Vec<GateStatus>,
    mode: Mode,
    /// Since when it decides alone, and for how long it may.
    alone: Option<(BootTime, Duration)>,
    pub(crate) silent: bool,
    pub(crate) lose: u32,
    pub(crate) cut: bool,
    /// Ends the connections of before a cut.
    pub(crate) line: CancellationToken,
    pub(crate) refuse: Option<String>,
    codes: VecDeque<String>,
    pub(crate) nonces: VecDeque<String>,
    scanners: BTreeMap<ScannerId, VerifyingKey>,
    access: VecDeque<(String, ScannerId)>,
    pub(crate) scans: Scans,
    pub(crate) staff: Staff,
    pub(crate) acts: Acts,
    /// Different acts that were done.
    pub(crate) acts_done: u64,
}

impl State {
    pub(crate) fn new() -> Self {
        let gate = |name: &str| GateStatus {
            gate_id: clock::new_id(),
            name: name.to_owned(),
            admitted: 0,
            refused: 0,
            unreadable: 0,
            left: 0,
        };
        Self {
            node: clock::new_id(),
            venue: clock::new_id(),
            performance: clock::new_id(),
            gates: vec![gate("North door"), gate("South door")],
            mode: Mode::Online,
            alone: None,
            silent: false,
            lose: 0,
            cut: false,
            line: CancellationToken::new(),
            refuse: None,
            codes: VecDeque::new(),
            nonces: VecDeque::new(),
            scanners: BTreeMap::new(),
            access: VecDeque::new(),
            scans: Scans::default(),
            staff: Staff::new(),
            acts: Acts::default(),
            acts_done: 0,
        }
    }

    pub(crate) fn new_code(&mut self) -> String {
        let code = secret();
        remember(&mut self.codes, code.clone(), 16);
        code
    }

    pub(crate) fn new_nonce(&mut self) -> String {
        let nonce = secret();
        remember(&mut self.nonces, nonce.clone(), 256);
        nonce
    }

    /// A scanner with this key, if the code is good.
    pub(crate) fn pair(&mut self, code: &str, key: VerifyingKey) -> Option<ScannerId> {
        let at = self.codes.iter().position(|known| known == code)?;
        self.codes.remove(at);
        let known = self.scanners.iter().find(|(_, known)| **known == key);
        let scanner = known.map_or_else(clock::new_id, |(scanner, _)| *scanner);
        self.scanners.insert(scanner, key);
        Some(scanner)
    }

    pub(crate) fn key_of(&self, scanner: ScannerId) -> Option<VerifyingKey> {
        self.scanners.get(&scanner).copied()
    }

    pub(crate) fn ids(&self) -> (NodeId, VenueId) {
        (self.node, self.venue)
    }

    pub(crate) fn issue(&mut self, scanner: ScannerId) -> AccessToken {
        let token = secret();
        remember(&mut self.access, (token.clone(), scanner), 64);
        AccessToken {
            token,
            expires_in: ACCESS_SECONDS,
        }
    }

    pub(crate) fn holder(&self, token: &str) -> Option<ScannerId> {
        let mut all = self.access.iter();
        all.find(|(known, _)| known == token)
            .map(|(_, scanner)| *scanner)
    }

    /// The next answer goes nowhere.
    pub(crate) fn loses(&mut self) -> bool {
        let loses = self.lose > 0;
        self.lose = self.lose.saturating_sub(1);
        loses
    }

    pub(crate) fn age(&self) -> Option<Duration> {
        let (since, _) = self.alone?;
        Some(clock::boottime().since(since))
    }

    pub(crate) fn limit(&self) -> Duration {
        self.alone.map_or(MAX_CACHE_AGE, |(_, limit)| limit)
    }

    /// The mode, which locks by itself when its time is over.
    pub(crate) fn mode(&self) -> Mode {
        let is_over = self.age().is_some_and(|age| age >= self.limit());
        if is_over && self.mode == Mode::Degraded {
            Mode::Locked
        } else {
            self.mode
        }
    }

    pub(crate) fn event(&self) -> StreamEvent {
        let mode = self.mode();
        let remaining = self.age().map(|age| self.limit().saturating_sub(age));
        StreamEvent::Mode {
            mode,
            reason: self.reason(),
            cache_age_ms: self.age().map(millis),
            max_cache_age_ms: millis(self.limit()),
            remaining_ms: remaining.filter(|_| mode == Mode::Degraded).map(millis),
            unacknowledged: if mode == Mode::Resyncing { 42 } else { 0 },
        }
    }

    fn reason(&self) -> Option<String> {
        let reason = match self.mode() {
            Mode::Online => return None,
            Mode::Degraded => "core_silent",
            Mode::Locked => "cache_too_old",
            Mode::Resyncing => "catching_up",
        };
        Some(reason.to_owned())
    }

    pub(crate) fn status(&self) -> NodeStatus {
        NodeStatus {
            node_id: self.node,
            venue_id: self.venue,
            software: concat!("eventify-mock-node ", env!("CARGO_PKG_VERSION")).to_owned(),
            mode: self.mode(),
            reason: self.reason(),
            cache_age_ms: self.age().map(millis),
            max_cache_age_ms: millis(self.limit()),
            replica: ReplicaStatus {
                epoch: None,
                position: Position(0),
                head: Position(0),
                digest: None,
                tickets: 0,
            },
            journal: JournalStatus {
                head: JournalHead {
                    incarnation: Uuid::nil().into(),
                    seq: 0,
                    hash: eventify_protocol::hash::Hash32::ZERO,
                },
                unacknowledged: 0,
                fault: None,
            },
            core_time: Some(clock::core()),
            gates: self.gates.clone(),
            performances: self.performances(),
            procedure: Vec::new(),
            time_zone: Some("Europe/Paris".to_owned()),
        }
    }

    pub(crate) fn named_gates(&self) -> Vec<NamedGate> {
        let gates = self.gates.iter().map(|gate| NamedGate {
            gate_id: gate.gate_id,
            name: gate.name.clone(),
        });
        gates.collect()
    }

    /// One, which begins in half an hour whenever it is asked for.
    pub(crate) fn performances(&self) -> Vec<GatePerformance> {
        let now = clock::core().unix_seconds();
        vec![GatePerformance {
            performance_id: self.performance,
            title: TITLE.to_owned(),
            doors_at: now - 1_800,
            starts_at: now + 1_800,
            ends_at: None,
            state: PerformanceState::Scheduled,
            gates: self.gates.iter().map(|gate| gate.gate_id).collect(),
        }]
    }

    pub(crate) fn performance(&self) -> PerformanceId {
        self.performance
    }

    pub(crate) fn set(&mut self, mode: Mode, alone: Option<(BootTime, Duration)>) {
        self.mode = mode;
        self.alone = alone;
    }

    /// No access token is good any more, and connections end: the node was started anew.
    pub(crate) fn restart(&mut self) {
        self.access.clear();
        self.end_connections();
    }

    pub(crate) fn unpair(&mut self) {
        self.scanners.clear();
        self.end_connections();
    }

    pub(crate) fn end_connections(&mut self) {
        std::mem::take(&mut self.line).cancel();
    }

    pub(crate) fn resync(&mut self) {
        self.mode = Mode::Resyncing;
    }
}

pub(crate) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(clock::entropy::<16>())
}

pub(crate) fn remember<T>(queue: &mut VecDeque<T>, value: T, max: usize) {
    queue.push_back(value);
    if queue.len() > max {
        queue.pop_front();
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
