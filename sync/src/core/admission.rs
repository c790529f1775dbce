//! A scan that the core decides: `Scan` of a node, or a check-in over REST (`ADMISSION` 3).

use eventify_protocol::{
    ids::{GateId, NodeId, ScanId, ScannerId},
    sync::{GateEntry, PerformanceEntry},
    time::{CoreInterval, CoreTime},
    verdict::{FirstEntry, Verdict},
};

use super::{
    AdmissionState, CheckIn, Effect, Evidence, ScanRecord, Validity, admission_state::first_of,
};
use crate::{
    rules::Entitlement,
    token::{SignedTicket, TokenCheck},
};

#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Made by the caller for a check-in over REST without one.
    pub scan: ScanId,
    pub scanner: ScannerId,
    pub gate: GateId,
    /// The node that asks; none over REST.
    pub node: Option<NodeId>,
    /// Checked against the core's key set.
    pub token: &'a TokenCheck,
    /// After it nobody waits; none over REST.
    pub deadline: Option<CoreTime>,
    /// Earlier scans of this ticket for which the node showed no `Admit` and never will.
    pub replaces: &'a [ScanId],
}

/// Read after the ticket's row lock was taken.
#[derive(Clone, Copy, Debug)]
pub struct LockedState<'a> {
    /// What is stored of the scan id, from a `Scan` or a journal.
    pub scan: Option<&'a ScanRecord>,
    /// The ticket that the token names, if it exists. Of its conflicts all are needed if the scan has an
    /// entry or replaces others, else none.
    pub ticket: Option<(&'a Entitlement, &'a AdmissionState)>,
    /// The gate, if it is one of the node's.
    pub gate: Option<&'a GateEntry>,
    /// The ticket's performance, if its venue admits to it: its own organisation's, or one that it has
    /// confirmed.
    pub performance: Option<&'a PerformanceEntry>,
    /// The primary's clock, read after the lock.
    pub now: CoreTime,
}

/// A final verdict is recorded as the scan's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub verdict: Verdict,
    /// [`Effect::Insert`], [`Effect::Restart`] or [`Effect::Move`], if anything changes; the last also from
    /// a scan to itself, which renews its time.
    pub effect: Option<Effect>,
}

/// The scan id was used before, by another scanner, gate or token. Nothing may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scan {0} was used before with other content")]
pub struct ScanIdReused(pub ScanId);

/// Decides a scan.
///
/// # Errors
/// [`ScanIdReused`].
pub fn decide(request: &Request<'_>, locked: &LockedState<'_>) -> Result<Decided, ScanIdReused> {
    if request
        .deadline
        .is_some_and(|deadline| locked.now >= deadline)
    {
        return Ok(refuse(Verdict::TryAgain));
    }
    if let Some(record) = locked.scan {
        if !request.is_of(record) {
            return Err(ScanIdReused(request.scan));
        }
        if let Some(verdict) = valid_verdict(request.scan, record, locked.ticket) {
            let effect = request.renew(locked).filter(|_| verdict == Verdict::Admit);
            return Ok(Decided { verdict, effect });
        }
    }
    let signed = match request.token {
        TokenCheck::Unreadable { .. } => return Ok(refuse(Verdict::Unreadable)),
        // The core has every key that ever signed.
        TokenCheck::Forged { .. } | TokenCheck::UnknownKey { .. } => {
            return Ok(refuse(Verdict::Forged));
        }
        // What was typed is no ticket's code.
        TokenCheck::Code { ticket: None, .. } => return Ok(refuse(Verdict::Unreadable)),
        TokenCheck::Signed(signed)
        | TokenCheck::Code {
            ticket: Some(signed),
            ..
        } => signed,
    };
    // Signed by us, but not in this database: a failover has lost it. A final verdict could be wrong.
    let Some((entitlement, state)) = locked.ticket else {
        return Ok(refuse(Verdict::TryAgain));
    };
    Ok(enter(request, signed, entitlement, state, locked))
}

fn refuse(verdict: Verdict) -> Decided {
    Decided {
        verdict,
        effect: None,
    }
}

/// The verdict that this scan has already, if it is still valid.
fn valid_verdict(
    scan: ScanId,
    record: &ScanRecord,
    ticket: Option<(&Entitlement, &AdmissionState)>,
) -> Option<Verdict> {
    if let Some(at) = record.ended {
        // Whoever it let in has left or was taken back: it lets in nobody else.
        let first = FirstEntry {
            gate: record.gate,
            at,
            confirmed: true,
        };
        return Some(Verdict::AlreadyUsed { first });
    }
    if let Some(shown) = &record.shown {
        return shown.verdict.is_final().then(|| shown.verdict.clone());
    }
    let own = record.own.clone().filter(Verdict::is_final)?;
    let admits_still = ticket.is_some_and(|(_, state)| {
        state.has_entry(scan) && state.admitted_instead_of(scan).is_none()
    });
    (own != Verdict::Admit || admits_still).then_some(own)
}

fn enter(
    request: &Request<'_>,
    signed: &SignedTicket,
    entitlement: &Entitlement,
    state: &AdmissionState,
    locked: &LockedState<'_>,
) -> Decided {
    if state
        .check_in
        .is_some_and(|check_in| check_in.scan == request.scan)
    {
        return match state.admitted_instead_of(request.scan) {
            None => Decided {
                verdict: Verdict::Admit,
                effect: request.renew(locked),
            },
            // The entry that nobody was shown is removed by its journal row.
            Some(other) => refuse(Verdict::AlreadyUsed {
                first: other.first_entry(),
            }),
        };
    }
    if state.validity != Validity::Valid {
        return refuse(Verdict::Revoked);
    }
    let now = CoreInterval::exact(locked.now);
    let Some(performance) = locked.performance else {
        return refuse(entitlement.elsewhere(request.gate));
    };
    if let Err(verdict) = entitlement.admits(signed, request.gate, locked.gate, performance, &now) {
        return refuse(verdict);
    }
    let entry = request.entry(now);
    match &state.check_in {
        None => Decided {
            verdict: Verdict::Admit,
            effect: Some(Effect::Insert(entry)),
        },
        Some(earlier)
            if performance
                .restart()
                .is_some_and(|at| is_over(earlier, at, locked.now)) =>
        {
            Decided {
                verdict: Verdict::Admit,
                effect: Some(Effect::Restart(entry)),
            }
        }
        Some(earlier) if request.replaces(earlier) => match request.admitted_beside(state) {
            None => Decided {
                verdict: Verdict::Admit,
                effect: Some(Effect::Move {
                    from: earlier.scan,
                    to: entry,
                }),
            },
            // The entry that was not shown is removed by its journal row; until then it remains.
            Some(other) => refuse(Verdict::AlreadyUsed {
                first: other.first_entry(),
            }),
        },
        Some(earlier) => refuse(Verdict::AlreadyUsed {
            first: earlier.first_entry(),
        }),
    }
}

/// The show was moved since, and is played again.
fn is_over(earlier: &CheckIn, restarts_at: CoreTime, now: CoreTime) -> bool {
    earlier.is_of_before(restarts_at) && now >= restarts_at
}

impl Request<'_> {
    fn is_of(&self, record: &ScanRecord) -> bool {
        record.scanner == self.scanner
            && record.gate == self.gate
            && record.token == self.token.hash()
    }

    /// Only the node that asked for an entry can say that it was not shown.
    fn replaces(&self, entry: &CheckIn) -> bool {
        self.node.is_some_and(|node| entry.is_unconfirmed_of(node))
            && self.replaces.contains(&entry.scan)
    }

    /// The core has admitted this scan before and does so again: either answer may be the one that is
    /// shown, so its entry lasts until now, and a row which says that the earlier one was not shown
    /// leaves it as it is. Beside another guest's entry it stays: without it the ticket is that one's.
    fn renew(&self, locked: &LockedState<'_>) -> Option<Effect> {
        let (_, state) = locked.ticket?;
        let own = |entry: &CheckIn| {
            entry.scan == self.scan && self.node.is_some_and(|node| entry.is_unconfirmed_of(node))
        };
        let earlier = state.check_in.filter(own)?;
        state.conflicts.is_empty().then(|| Effect::Move {
            from: self.scan,
            to: self.entry(CoreInterval {
                latest: locked.now,
                ..earlier.at
            }),
        })
    }

    /// The guest who was admitted beside the answer that this scan replaces, if there is one.
    fn admitted_beside<'s>(&self, state: &'s AdmissionState) -> Option<&'s CheckIn> {
        let others = state.conflicts.iter().map(|conflict| &conflict.entry);
        first_of(others.filter(|entry| !self.replaces(entry)))
    }

    fn entry(&self, at: CoreInterval) -> CheckIn {
        let evidence = match self.node {
            Some(_) => Evidence::Unconfirmed,
            None => Evidence::Api,
        };
        CheckIn {
            scan: self.scan,
            gate: self.gate,
            node: self.node,
            at,
            evidence,
        }
    }
}

impl CheckIn {
    fn first_entry(&self) -> FirstEntry {
        FirstEntry {
            gate: self.gate,
            at: self.at.earliest,
            confirmed: self.is_confirmed(),
        }
    }
}
