//! A ticket and what gates need of it.

use chrono::{DateTime, Utc};
use eventify_contracts::order::RefundReason;
use eventify_contracts::ticketing::{Guest, KeptBack, NotGood, TicketFacts, TicketState};
use eventify_protocol::ids::{
    BucketId, HoldId, OrderId, PerformanceId, RefundId, ScanId, SeatId, TicketId, UserId, VenueId,
};
use eventify_protocol::money::Money;
use eventify_protocol::time::CoreTime;
use eventify_protocol::token::{CategoryCode, Claims, TokenHash};
use eventify_sync::core::{AdmissionState, CheckIn, Conflict, Effect, EndKind, Validity};
use eventify_sync::rules::Entitlement;
use eventify_sync::token::SignedTicket;

use super::codes::TicketCode;
use super::performances::Performance;

/// The card's bank took the money back, or will: nobody sells the place again unasked.
pub(crate) const FRAUD: &str = "fraud";

/// One place at one performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: TicketId,
    pub(crate) order_id: OrderId,
    /// The item's place in the order, and the unit's in the item.
    pub(crate) line: i32,
    pub(crate) unit: i32,
    pub(crate) customer_id: UserId,
    pub(crate) performance_id: PerformanceId,
    pub(crate) venue_id: VenueId,
    pub(crate) seat_id: Option<SeatId>,
    pub(crate) seat_label: Option<String>,
    pub(crate) bucket_id: Option<BucketId>,
    pub(crate) zone: Option<String>,
    pub(crate) category: CategoryCode,
    pub(crate) unit_price: Money,
    pub(crate) hold_id: HoldId,
    /// The refund that it is under, or was revoked by.
    pub(crate) refund: Option<RefundId>,
    /// The entry that stands published as one whose money goes back.
    pub(crate) refunded_scan: Option<ScanId>,
    /// Why it was revoked, if it was.
    pub(crate) revoked: Option<String>,
    /// The entry that counts in the present passage.
    pub(crate) check_in: Option<CheckIn>,
    /// Another entry of the passage may have been before that one.
    pub(crate) order_unknown: bool,
    pub(crate) passage: i32,
    /// Somebody was inside with it, and has left.
    pub(crate) attended: bool,
    pub(crate) revision: u32,
    /// The token's text: whoever has it can use the ticket.
    pub(crate) token: String,
    pub(crate) token_hash: TokenHash,
    /// Made with the token; none if the release before made it.
    pub(crate) code: Option<TicketCode>,
    /// The token's outer bounds, Unix seconds; when it admits is its performance's.
    pub(crate) not_before: i64,
    pub(crate) expiry: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

/// As in the table and in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Valid,
    /// Being refunded; a ticket that was used can be suspended too.
    Suspended,
    /// Refunded, cancelled or replaced; a ticket that was used can be revoked too.
    Revoked,
    Used,
}

/// Why a ticket can't be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the ticket has been revoked")]
    Revoked,
    #[error("the ticket has been used")]
    Used,
    #[error("the ticket is being refunded")]
    Suspended,
    #[error("the performance is over")]
    Over,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Used => "used",
        }
    }
}

impl Ticket {
    /// The claims of its token.
    pub(crate) fn claims(&self) -> Claims {
        Claims {
            ticket: self.id,
            performance: self.performance_id,
            category: self.category,
            not_before: self.not_before,
            expiry: self.expiry,
            revision: self.revision,
        }
    }

    /// What it entitles to.
    pub(crate) fn entitlement(&self) -> Entitlement {
        Entitlement {
            token: self.token_hash,
            performance: self.performance_id,
            category: self.category,
        }
    }

    /// The ticket itself in place of its token, for a caller who vouches for it: no bounds of a token
    /// that nobody has presented.
    pub(crate) fn vouched(&self) -> SignedTicket {
        SignedTicket {
            hash: self.token_hash,
            claims: Claims {
                not_before: 0,
                expiry: u32::MAX.into(),
                ..self.claims()
            },
        }
    }

    pub(crate) fn status(&self) -> Status {
        match (self.validity(), &self.check_in) {
            (Validity::Revoked, _) => Status::Revoked,
            (Validity::Suspended, _) => Status::Suspended,
            (Validity::Valid, Some(_)) => Status::Used,
            (Validity::Valid, None) => Status::Valid,
        }
    }

    pub(crate) fn validity(&self) -> Validity {
        match (&self.revoked, self.refund) {
            (Some(_), _) => Validity::Revoked,
            (None, Some(_)) => Validity::Suspended,
            (None, None) => Validity::Valid,
        }
    }

    /// Why its customer can't give it back.
    pub(crate) fn not_good(&self) -> Option<NotGood> {
        match (&self.revoked, self.was_inside()) {
            (Some(_), _) => Some(NotGood::Revoked),
            (None, true) => Some(NotGood::Used),
            (None, false) => None,
        }
    }

    /// Whether anybody has had anything of the show with it. One whose only entry was undone was not used.
    fn was_inside(&self) -> bool {
        self.check_in.is_some() || self.attended
    }

    /// Who was admitted with it.
    pub(crate) fn guest(&self) -> Option<Guest> {
        self.check_in.map(|entry| Guest {
            gate_id: entry.gate,
            earliest: date(entry.at.earliest),
            latest: date(entry.at.latest),
        })
    }

    /// Its entries: the check-in, and these conflicts.
    pub(crate) fn admission_state(&self, conflicts: Vec<Conflict>) -> AdmissionState {
        AdmissionState {
            validity: self.validity(),
            check_in: self.check_in,
            conflicts,
            passage: self.passage,
            ended: vec![],
            restarts_at: None,
        }
    }

    /// It admits nobody while its money is on its way back. Whoever was admitted has had the show: a
    /// customer's own cancel takes no such ticket. One that was revoked stays so, whoever asks.
    pub(crate) fn suspend(
        self,
        refund: RefundId,
        reason: RefundReason,
        at: DateTime<Utc>,
    ) -> Result<Self, NotGood> {
        if self.validity() == Validity::Suspended && self.refund == Some(refund) {
            // Asked once more.
            return Ok(self);
        }
        match self.not_good() {
            Some(NotGood::Revoked) => Err(NotGood::Revoked),
            Some(NotGood::Used) if reason == RefundReason::UserRequest => Err(NotGood::Used),
            Some(NotGood::Used) | None => {
                let refund = Some(refund);
                Ok(Self { refund, ..self }.changed(at))
            }
        }
    }

    /// As it was before this refund; none if it is not suspended by it.
    pub(crate) fn reinstate(self, refund: RefundId, at: DateTime<Utc>) -> Option<Self> {
        let is_by = self.validity() == Validity::Suspended && self.refund == Some(refund);
        is_by.then(|| {
            Self {
                refund: None,
                refunded_scan: None,
                ..self
            }
            .changed(at)
        })
    }

    /// Why its place is not to be sold again by itself, once it is revoked for a reason: somebody sits
    /// on it, or may do.
    pub(crate) fn keeps_place(
        &self,
        reason: &str,
        performance: Option<&Performance>,
        now: DateTime<Utc>,
    ) -> Option<KeptBack> {
        if reason == FRAUD {
            return Some(KeptBack::Fraud);
        }
        if performance.is_some_and(|it| it.cancelled) {
            return None;
        }
        if self.was_inside() {
            return Some(KeptBack::Used);
        }
        let may_sit_there = performance.is_some_and(|it| it.may_have_guests(now));
        may_sit_there.then_some(KeptBack::GatesAdmit)
    }

    pub(crate) fn revoke(self, reason: &str, at: DateTime<Utc>) -> Result<Self, Refused> {
        if self.revoked.is_some() {
            return Err(Refused::Revoked);
        }
        let revoked = Some(reason.to_owned());
        Ok(Self { revoked, ..self }.changed(at))
    }

    /// The next revision, whose token is to be signed, with these bounds. Once nobody is admitted any
    /// more a new token would be good for nothing.
    pub(crate) fn next_revision(
        self,
        performance: &Performance,
        (not_before, expiry): (i64, i64),
        at: DateTime<Utc>,
    ) -> Result<Self, Refused> {
        match self.status() {
            Status::Valid if performance.is_over(at) => Err(Refused::Over),
            Status::Valid => {
                let revision = self.revision + 1;
                Ok(Self {
                    revision,
                    not_before,
                    expiry,
                    ..self
                }
                .changed(at))
            }
            Status::Suspended => Err(Refused::Suspended),
            Status::Revoked => Err(Refused::Revoked),
            Status::Used => Err(Refused::Used),
        }
    }

    /// Whether its check-in is another than this, or its order is less or better known.
    pub(crate) fn differs_from(&self, state: &AdmissionState) -> bool {
        (self.check_in, self.order_unknown, self.passage)
            != (state.check_in, state.order_unknown(), state.passage)
    }

    /// The ticket after one change of its entries, if it has no conflicts.
    pub(crate) fn changed_by(self, effect: &Effect, at: DateTime<Utc>) -> Self {
        let mut state = self.admission_state(Vec::new());
        state.apply(effect);
        self.with_entries(&state, at)
    }

    /// Another entry stands published as one whose money goes back, or none.
    pub(crate) fn with_refunded(self, scan: Option<ScanId>, at: DateTime<Utc>) -> Self {
        Self {
            refunded_scan: scan,
            ..self
        }
        .changed(at)
    }

    /// The ticket with other entries.
    pub(crate) fn with_entries(self, state: &AdmissionState, at: DateTime<Utc>) -> Self {
        Self {
            check_in: state.check_in,
            order_unknown: state.order_unknown(),
            passage: state.passage,
            attended: self.attended || state.ended.iter().any(|end| end.kind == EndKind::Left),
            ..self
        }
        .changed(at)
    }

    /// The first code of a ticket of before there were any.
    pub(crate) fn with_code(self, code: TicketCode, at: DateTime<Utc>) -> Self {
        Self {
            code: Some(code),
            ..self
        }
        .changed(at)
    }

    /// The same with a version above one that the feed has; none if there is no such version.
    pub(crate) fn restated(self, in_feed: u64, at: DateTime<Utc>) -> Option<Self> {
        let in_feed = i32::try_from(in_feed).ok()?;
        let version = self.version.max(in_feed);
        version.checked_add(1)?;
        Some(Self { version, ..self }.changed(at))
    }

    /// What gates need of it.
    pub(crate) fn facts(&self) -> TicketFacts {
        TicketFacts {
            ticket_id: self.id,
            version: self.version,
            venue_id: self.venue_id,
            performance_id: self.performance_id,
            seat_id: self.seat_id,
            seat_label: self.seat_label.clone(),
            bucket_id: self.bucket_id,
            zone: self.zone.clone(),
            code_tag: self.code.map(|it| it.hash.tag()),
            category: self.category,
            token_hash: self.token_hash.0,
            not_before: self.not_before,
            expiry: self.expiry,
            state: match (self.validity(), &self.check_in) {
                (Validity::Revoked, _) => TicketState::Revoked,
                (Validity::Suspended, _) => TicketState::Suspended,
                (Validity::Valid, None) => TicketState::Valid,
                (Validity::Valid, Some(check_in)) => TicketState::Used {
                    scan_id: check_in.scan,
                    gate_id: check_in.gate,
                    at: date(check_in.at.earliest),
                    confirmed: check_in.is_confirmed(),
                },
            },
        }
    }

    fn changed(self, at: DateTime<Utc>) -> Self {
        Self {
            updated_at: at,
            version: self.version + 1,
            ..self
        }
    }
}

/// A time for people and events. A node can claim one beyond any calendar: then the calendar's
/// nearer end.
pub(crate) fn date(time: CoreTime) -> DateTime<Utc> {
    const LAST: i64 = 253_402_300_799_000_000;
    CoreTime(time.0.clamp(0, LAST))
        .to_datetime()
        .expect("1970 to 9999 lies in the calendar")
}
