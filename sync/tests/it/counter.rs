//! One ticket at the core, with the pure decisions applied as the core would.

use std::collections::BTreeMap;

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, IncarnationId, NodeId, PerformanceId, ScanId, ScannerId, TicketId},
    sync::{AdmissionWindow, Decision, GateEntry, PerformanceEntry, PerformanceState},
    time::{CoreInterval, CoreTime},
    token::{Claims, TokenHash},
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_sync::{
    core::{
        AdmissionState, CheckIn, ConflictKind, Effect, JournalRef, ScanRecord,
        admission::{self, LockedState, Request, ScanIdReused},
        reconcile::{self, Class, Row},
    },
    rules::Entitlement,
    token::{SignedTicket, TokenCheck},
};
use uuid::Uuid;

pub(crate) const NODE_1: NodeId = NodeId(Uuid::from_u128(0x11));
pub(crate) const NODE_2: NodeId = NodeId(Uuid::from_u128(0x12));
pub(crate) const NODE_3: NodeId = NodeId(Uuid::from_u128(0x13));
pub(crate) const GATE_1: GateId = GateId(Uuid::from_u128(0x21));
pub(crate) const GATE_2: GateId = GateId(Uuid::from_u128(0x22));

/// How long a node waits for the core's answer.
const PATIENCE: i64 = 5;
const TOKEN: TokenHash = TokenHash(Hash32([3; 32]));

pub(crate) const ADMIT: Verdict = Verdict::Admit;

pub(crate) fn span(earliest: i64, latest: i64) -> CoreInterval {
    CoreInterval {
        earliest: CoreTime(earliest),
        latest: CoreTime(latest),
    }
}

pub(crate) fn is_used(verdict: &Verdict, confirmed: bool) -> bool {
    matches!(verdict, Verdict::AlreadyUsed { first } if first.confirmed == confirmed)
}

/// A pull of the trigger.
#[derive(Clone)]
pub(crate) struct Pull {
    pub(crate) scan: ScanId,
    pub(crate) node: NodeId,
    pub(crate) gate: GateId,
    deadline: Option<i64>,
    replaces: Vec<ScanId>,
}

impl Pull {
    pub(crate) fn replacing(mut self, earlier: &Pull) -> Self {
        self.replaces.push(earlier.scan);
        self
    }

    pub(crate) fn until(mut self, deadline: i64) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

pub(crate) struct Counter {
    pub(crate) standing: AdmissionState,
    /// A failover has lost the ticket.
    pub(crate) lost: bool,
    records: BTreeMap<ScanId, ScanRecord>,
    /// Deadlines of the last questions.
    asked: BTreeMap<ScanId, CoreTime>,
    seqs: BTreeMap<NodeId, u64>,
    scans: u128,
}

impl Counter {
    pub(crate) fn new() -> Self {
        Self {
            standing: AdmissionState::default(),
            lost: false,
            records: BTreeMap::new(),
            asked: BTreeMap::new(),
            seqs: BTreeMap::new(),
            scans: 0,
        }
    }

    pub(crate) fn new_scan(&mut self, node: NodeId, gate: GateId) -> Pull {
        self.scans += 1;
        let scan = ScanId(Uuid::from_u128(0x100 + self.scans));
        Pull {
            scan,
            node,
            gate,
            deadline: None,
            replaces: vec![],
        }
    }

    pub(crate) fn scan(&mut self, pull: &Pull, now: i64) -> Verdict {
        self.try_scan(pull, now).expect("same content")
    }

    pub(crate) fn try_scan(&mut self, pull: &Pull, now: i64) -> Result<Verdict, ScanIdReused> {
        let claims = Claims {
            ticket: TicketId(Uuid::from_u128(1)),
            performance: PerformanceId(Uuid::from_u128(2)),
            category: "STALLS".parse().expect("a code"),
            not_before: 0,
            expiry: 1_000_000,
            revision: 1,
        };
        let entitlement = Entitlement {
            token: TOKEN,
            performance: claims.performance,
            category: claims.category,
        };
        let performance = PerformanceEntry {
            title: "any".to_owned(),
            doors_at: 0,
            starts_at: 0,
            ends_at: None,
            admits: AdmissionWindow {
                from: 0,
                until: 1_000_000,
            },
            state: PerformanceState::Scheduled,
            categories: None,
            reentry: None,
            restarts_at: None,
        };
        let token = TokenCheck::Signed(SignedTicket {
            hash: TOKEN,
            claims,
        });
        let gate = GateEntry {
            name: "any".into(),
            performances: vec![],
            categories: vec![],
        };
        let request = Request {
            scan: pull.scan,
            scanner: scanner(pull),
            gate: pull.gate,
            node: Some(pull.node),
            token: &token,
            deadline: pull.deadline.map(CoreTime),
            replaces: &pull.replaces,
        };
        let held = LockedState {
            scan: self.records.get(&pull.scan),
            ticket: (!self.lost).then_some((&entitlement, &self.standing)),
            gate: Some(&gate),
            performance: Some(&performance),
            now: CoreTime(now),
        };
        self.asked.insert(pull.scan, CoreTime(now + PATIENCE));
        let decided = admission::decide(&request, &held)?;
        self.apply(decided.effect.as_slice());
        if decided.verdict.is_final() {
            self.record(pull).own = Some(decided.verdict.clone());
        }
        Ok(decided.verdict)
    }

    pub(crate) fn journal(&mut self, pull: &Pull, verdict: Verdict, at: CoreInterval) -> Class {
        let asked_until = self.asked.get(&pull.scan).copied();
        self.journal_held_up(pull, verdict, at, asked_until)
    }

    /// A row that was written when the last question about the scan had this deadline.
    pub(crate) fn journal_held_up(
        &mut self,
        pull: &Pull,
        verdict: Verdict,
        at: CoreInterval,
        asked_until: Option<CoreTime>,
    ) -> Class {
        let seq = self.seqs.entry(pull.node).or_default();
        *seq += 1;
        let source = JournalRef {
            node: pull.node,
            incarnation: incarnation(pull.node),
            seq: *seq,
        };
        let decision = Decision {
            scan: pull.scan,
            scanner: scanner(pull),
            gate: pull.gate,
            token: TOKEN.0,
            ticket: Some(TicketId(Uuid::from_u128(1))),
            performance: None,
            verdict,
            mode: Mode::Degraded,
            decided_by: DecidedBy::Edge,
            cache_age_ms: None,
            point: None,
            replaces: pull.replaces.clone(),
            asked_until,
            person: None,
        };
        let row = Row {
            source,
            at: Some(at),
            decision: &decision,
        };
        let outcome =
            reconcile::reconcile(&row, self.records.get(&pull.scan), Some(&self.standing));
        self.apply(&outcome.effects);
        self.record(pull).show(&decision.verdict, source);
        outcome.class
    }

    /// Takes back what was decided then.
    pub(crate) fn voided(&mut self, pull: &Pull, at: CoreInterval) {
        let outcome = reconcile::voided(pull.node, Some(at), pull.scan, Some(&self.standing));
        let stands = outcome.effects.is_empty() && self.standing.has_entry(pull.scan);
        self.apply(&outcome.effects);
        if !stands && let Some(shown) = &mut self.record(pull).shown {
            shown.verdict = Verdict::ResyncRequired;
        }
    }

    /// The one check-in.
    pub(crate) fn check_in(&self) -> CheckIn {
        self.standing.check_in.expect("a check-in")
    }

    pub(crate) fn expect_conflicts(&self, expected: &[(ScanId, ConflictKind)]) {
        let found: Vec<_> = self
            .standing
            .conflicts
            .iter()
            .map(|held| (held.entry.scan, held.kind))
            .collect();
        assert_eq!(found, expected);
    }

    /// As if the scans had been lost on their way.
    pub(crate) fn forget_scans(&mut self) {
        self.records.clear();
    }

    fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            self.standing.apply(effect);
        }
    }

    fn record(&mut self, pull: &Pull) -> &mut ScanRecord {
        self.records.entry(pull.scan).or_insert(ScanRecord {
            scanner: scanner(pull),
            gate: pull.gate,
            token: TOKEN.0,
            own: None,
            shown: None,
            ended: None,
        })
    }
}

fn scanner(pull: &Pull) -> ScannerId {
    ScannerId(pull.node.0)
}

fn incarnation(node: NodeId) -> IncarnationId {
    IncarnationId(node.0)
}
