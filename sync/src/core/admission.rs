//! A scan that the core decides: `Scan` of a node, or a check-in over REST (`ADMISSION` 3).

use eventify_protocol::{
    ids::{GateId, NodeId, ScanId, ScannerId},
    sync::GateEntry,
    time::{CoreInterval, CoreTime},
    verdict::{FirstEntry, Verdict},
};

use super::{CheckIn, Effect, Evidence, ScanRecord, Standing, standing::first_of};
use crate::{
    rules::Entitlement,
    token::{SignedTicket, TokenCheck},
};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The scan; made by the caller for a check-in over REST without one.
    pub scan: ScanId,
    /// Who scanned.
    pub scanner: ScannerId,
    /// Where.
    pub gate: GateId,
    /// The node that asks; none over REST.
    pub node: Option<NodeId>,
    /// The token, checked against the core's key set.
    pub token: &'a TokenCheck,
    /// From then on nobody waits; none over REST.
    pub deadline: Option<CoreTime>,
    /// Earlier scans of this ticket for which the node showed no `Admit` and never will.
    pub replaces: &'a [ScanId],
}

/// What the core holds, read after the ticket's row lock was taken.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The scan id, if it was seen before, in a `Scan` or in a journal.
    pub scan: Option<&'a ScanRecord>,
    /// The ticket that the token names; none if there is no such ticket. Of its conflicts those of
    /// this scan are needed, and all if the scan replaces others.
    pub ticket: Option<(&'a Entitlement, &'a Standing)>,
    /// The gate, if it is one of the node's.
    pub gate: Option<&'a GateEntry>,
    /// The primary's clock, read after the lock.
    pub now: CoreTime,
}

/// What is answered and done. A final verdict is recorded as the scan's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The answer.
    pub verdict: Verdict,
    /// The change, if any: [`Effect::Insert`] or [`Effect::Move`].
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
pub fn decide(request: &Request<'_>, held: &Held<'_>) -> Result<Decided, ScanIdReused> {
    if request
        .deadline
        .is_some_and(|deadline| held.now >= deadline)
    {
        return Ok(refuse(Verdict::TryAgain));
    }
    if let Some(record) = held.scan {
        if !request.is_of(record) {
            return Err(ScanIdReused(request.scan));
        }
        if let Some(verdict) = standing_verdict(request.scan, record, held.ticket) {
            return Ok(refuse(verdict));
        }
    }
    let signed = match request.token {
        TokenCheck::Unreadable { .. } => return Ok(refuse(Verdict::Unreadable)),
        // The core has every key that ever signed.
        TokenCheck::Forged { .. } | TokenCheck::UnknownKey { .. } => {
            return Ok(refuse(Verdict::Forged));
        }
        TokenCheck::Signed(signed) => signed,
    };
    // Signed by us, but not in this database: a failover has lost it. Nothing false is said of it.
    let Some((entitlement, standing)) = held.ticket else {
        return Ok(refuse(Verdict::TryAgain));
    };
    Ok(enter(request, signed, entitlement, standing, held))
}

/// Nothing is done.
fn refuse(verdict: Verdict) -> Decided {
    Decided {
        verdict,
        effect: None,
    }
}

/// The verdict that this scan has already, if it still stands.
fn standing_verdict(
    scan: ScanId,
    record: &ScanRecord,
    ticket: Option<(&Entitlement, &Standing)>,
) -> Option<Verdict> {
    if let Some(shown) = &record.shown {
        return shown.verdict.is_final().then(|| shown.verdict.clone());
    }
    let own = record.own.clone().filter(Verdict::is_final)?;
    let stands = ticket.is_some_and(|(_, standing)| standing.holds(scan));
    (own != Verdict::Admit || stands).then_some(own)
}

fn enter(
    request: &Request<'_>,
    signed: &SignedTicket,
    entitlement: &Entitlement,
    standing: &Standing,
    held: &Held<'_>,
) -> Decided {
    if standing
        .check_in
        .is_some_and(|check_in| check_in.scan == request.scan)
    {
        return refuse(Verdict::Admit);
    }
    if standing.revoked {
        return refuse(Verdict::Revoked);
    }
    let now = CoreInterval::exact(held.now);
    if let Err(verdict) = entitlement.admits(signed.hash, request.gate, held.gate, &now) {
        return refuse(verdict);
    }
    let entry = request.entry(now);
    match &standing.check_in {
        None => Decided {
            verdict: Verdict::Admit,
            effect: Some(Effect::Insert(entry)),
        },
        Some(earlier) if request.replaces(earlier) => match request.let_in_beside(standing) {
            None => Decided {
                verdict: Verdict::Admit,
                effect: Some(Effect::Move {
                    from: earlier.scan,
                    to: entry,
                }),
            },
            // The answer that nobody saw goes with its journal row; until then it keeps the place.
            Some(other) => refuse(Verdict::AlreadyUsed {
                first: other.first_entry(),
            }),
        },
        Some(earlier) => refuse(Verdict::AlreadyUsed {
            first: earlier.first_entry(),
        }),
    }
}

impl Request<'_> {
    fn is_of(&self, record: &ScanRecord) -> bool {
        record.scanner == self.scanner
            && record.gate == self.gate
            && record.token == self.token.hash()
    }

    /// Only the node that asked for an entry can say that it was never shown.
    fn replaces(&self, entry: &CheckIn) -> bool {
        self.node.is_some_and(|node| entry.is_unconfirmed_of(node))
            && self.replaces.contains(&entry.scan)
    }

    /// The guest who was let in beside the answer that this scan replaces, if one was.
    fn let_in_beside<'s>(&self, standing: &'s Standing) -> Option<&'s CheckIn> {
        let others = standing.conflicts.iter().map(|conflict| &conflict.entry);
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

impl Standing {
    /// Whether an entry of this scan is there, as check-in or as conflict.
    fn holds(&self, scan: ScanId) -> bool {
        self.check_in.is_some_and(|check_in| check_in.scan == scan) || self.conflict(scan).is_some()
    }
}
