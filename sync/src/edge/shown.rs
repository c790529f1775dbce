//! What staff are shown beside a verdict and the mode: names and places, as the core or the replica has
//! them. Never from a token, which whoever made it could have filled with anything, and never personal
//! data.

use std::time::Duration;

use eventify_protocol::{
    ids::{PerformanceId, ScannerId},
    lan::{GatePerformance, MAX_ADMITTING_GATES, MAX_STATUS_PERFORMANCES, NamedGate, ShownTicket},
    sync::{PerformanceEntry, PerformanceState, ScannedTicket},
    time::CoreTime,
    verdict::Verdict,
};

use super::{Machine, Now};
use crate::{rules::Entitlement, token::TokenCheck};

/// A reader that still sees the code of whom it has just let in reads it again within this.
pub const READ_AGAIN: Duration = Duration::from_secs(10);
/// How long before it admits a performance is one of those around now.
const AHEAD_SECONDS: i64 = 24 * 3_600;

/// Facts beside a verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What the ticket is for, if somebody who knows vouches for it.
    pub ticket: Option<ShownTicket>,
    /// Name of the first entry's gate, beside `AlreadyUsed`, if the replica has it.
    pub first_gate_name: Option<String>,
    /// How long ago that entry was, as far as the core's clock is known.
    pub first_ago: Option<Duration>,
    /// How long ago this very scanner has let the guest in, beside `AlreadyUsed`, if that is its newest admission
    /// and at most [`READ_AGAIN`] ago.
    pub read_again: Option<Duration>,
    /// Where the ticket is admitted, beside `NotValidHere`.
    pub admitting_gates: Vec<NamedGate>,
}

impl Machine {
    /// What staff are shown of a scan. The claims under a key that this node does not have count once the
    /// core has admitted by them.
    pub(super) fn shown(
        &self,
        (checked, found): (&TokenCheck, Option<&ScannedTicket>),
        (scanner, verdict): (ScannerId, &Verdict),
        now: Now,
    ) -> Shown {
        let vouched = match verdict {
            Verdict::Admit => checked.claimed(),
            Verdict::AlreadyUsed { .. }
            | Verdict::Revoked
            | Verdict::NotValidHere { .. }
            | Verdict::NotYet { .. }
            | Verdict::Expired { .. }
            | Verdict::Unreadable
            | Verdict::Forged
            | Verdict::UnknownOffline
            | Verdict::ResyncRequired
            | Verdict::TryAgain
            | Verdict::NodeFault => checked.signed(),
        };
        let found = found.filter(|it| vouched.is_some_and(|signed| signed.ticket() == it.ticket));
        let mut shown = Shown {
            ticket: found.map(|found| self.shown_ticket(found)),
            ..Shown::default()
        };
        if let Verdict::AlreadyUsed { first } = verdict {
            let gate = self.replica.gate(first.gate);
            shown.first_gate_name = gate.map(|gate| gate.name.clone());
            shown.first_ago = self.core_now(now).map(|core| core.since(first.at));
            shown.read_again = vouched
                .and_then(|signed| self.let_in_ago(scanner, signed.ticket(), now))
                .filter(|ago| *ago <= READ_AGAIN);
        }
        if let (Verdict::NotValidHere { .. }, Some(found)) = (verdict, found) {
            shown.admitting_gates = self.admitting_gates(found);
        }
        shown
    }

    pub(super) fn shown_ticket(&self, found: &ScannedTicket) -> ShownTicket {
        let performance = self.replica.performance(found.performance);
        let category_name = performance.and_then(|it| it.category_name(found.category));
        ShownTicket {
            performance_id: found.performance,
            title: performance.map(|performance| performance.title.clone()),
            starts_at: performance.map(|performance| performance.starts_at),
            category: found.category,
            category_name: category_name.map(str::to_owned),
            place: found.place.clone(),
        }
    }

    /// The gates of the venue that admit a ticket, of all nodes; none if the venue does not admit to its
    /// performance at all.
    fn admitting_gates(&self, found: &ScannedTicket) -> Vec<NamedGate> {
        let performance = self.replica.performance(found.performance);
        if performance.is_none_or(|it| it.state == PerformanceState::Cancelled) {
            return Vec::new();
        }
        let entitlement = Entitlement {
            token: found.token,
            performance: found.performance,
            category: found.category,
        };
        let admitting = self
            .replica
            .gates()
            .filter(|(_, gate)| entitlement.passes(gate));
        let mut named: Vec<_> = admitting
            .map(|(gate_id, gate)| NamedGate {
                gate_id,
                name: gate.name.clone(),
            })
            .collect();
        named.sort_by(|one, other| one.name.cmp(&other.name));
        named.truncate(MAX_ADMITTING_GATES);
        named
    }

    /// What this node's gates admit to from a day before until it ends, soonest first.
    pub(super) fn performances_around(&self, now: Now) -> Vec<GatePerformance> {
        let (Some(core), Some(node)) = (self.core_now(now), self.replica.node(self.node)) else {
            return Vec::new();
        };
        let seconds = core.unix_seconds();
        let is_near = |entry: &PerformanceEntry| {
            entry.admits.from - AHEAD_SECONDS <= seconds && seconds < entry.admits.until
        };
        let admits = |id: PerformanceId| {
            let gates = node.gates.iter().copied().filter(move |gate| {
                let entry = self.replica.gate(*gate);
                entry.is_some_and(|it| it.performances.is_empty() || it.performances.contains(&id))
            });
            gates.collect()
        };
        let mut near: Vec<_> = self
            .replica
            .performances()
            .filter(|(_, entry)| is_near(entry))
            .map(|(performance_id, entry)| GatePerformance {
                performance_id,
                title: entry.title.clone(),
                doors_at: entry.doors_at,
                starts_at: entry.starts_at,
                ends_at: entry.ends_at,
                state: entry.state,
                gates: admits(performance_id),
            })
            .filter(|it| !it.gates.is_empty())
            .collect();
        near.sort_by_key(|it| (it.doors_at, it.performance_id));
        near.truncate(MAX_STATUS_PERFORMANCES);
        near
    }

    /// The node's estimate of the core's clock: the middle of what it can prove.
    fn core_now(&self, now: Now) -> Option<CoreTime> {
        self.time.bounds(now).map(|bounds| bounds.middle())
    }
}
