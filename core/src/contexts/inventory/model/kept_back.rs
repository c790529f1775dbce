//! Places that are not sold again by themselves when their tickets are revoked: somebody sits there,
//! or may do (DECISIONS 53).

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::{Guest, KeptBack};
use eventify_protocol::ids::{BucketId, HoldId, OrderId, PerformanceId, SeatId, TicketId, UserId};

use super::hold::PartRelease;

/// A seat, or one unit of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Seat(SeatId),
    Unit(BucketId),
}

impl Place {
    pub(crate) fn seat(self) -> Option<SeatId> {
        match self {
            Self::Seat(seat) => Some(seat),
            Self::Unit(_) => None,
        }
    }

    /// The zone, of a unit.
    pub(crate) fn bucket(self) -> Option<BucketId> {
        match self {
            Self::Seat(_) => None,
            Self::Unit(bucket) => Some(bucket),
        }
    }
}

/// A ticket that admits nobody any more, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RevokedTicket {
    pub(crate) id: TicketId,
    pub(crate) order: OrderId,
    pub(crate) performance: PerformanceId,
    pub(crate) place: Place,
}

/// A place that is kept back, or was until somebody released it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptPlace {
    pub(crate) ticket: RevokedTicket,
    /// Label of the seat, or name of the zone.
    pub(crate) label: String,
    pub(crate) reason: KeptBack,
    pub(crate) since: DateTime<Utc>,
    /// Since when gates may have admitted to the performance; none: not before it was kept back.
    pub(crate) gates_since: Option<DateTime<Utc>>,
    /// Who was admitted with its ticket, as far as that is known.
    pub(crate) guest: Option<Guest>,
    pub(crate) released: Option<Release>,
}

/// Why a release needs a second word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Somebody was admitted with the ticket.
    GuestInside,
    /// A gate may have let somebody in, and nobody knows yet.
    GatesNotHeard,
}

impl Doubt {
    /// As in the store, and on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GuestInside => "guest_inside",
            Self::GatesNotHeard => "gates_not_heard",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut all = [Self::GuestInside, Self::GatesNotHeard].into_iter();
        all.find(|doubt| doubt.name() == name)
    }
}

impl KeptPlace {
    /// What speaks against its release.
    pub(crate) fn doubt(&self, gates_not_heard: bool) -> Option<Doubt> {
        if self.guest.is_some() || self.reason == KeptBack::Used {
            return Some(Doubt::GuestInside);
        }
        (gates_not_heard && self.concerns_gates()).then_some(Doubt::GatesNotHeard)
    }

    /// Whether gates may have admitted with its ticket before they could know better.
    pub(crate) fn concerns_gates(&self) -> bool {
        self.reason == KeptBack::GatesAdmit || self.gates_since.is_some()
    }
}

/// Who found that nobody sits there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: UserId,
    /// In their own words.
    pub(crate) note: Option<String>,
    /// What they were warned of.
    pub(crate) despite: Option<Doubt>,
}

/// As in the store.
pub(crate) fn reason_name(reason: KeptBack) -> &'static str {
    match reason {
        KeptBack::Used => "used",
        KeptBack::GatesAdmit => "gates_admit",
        KeptBack::Fraud => "fraud",
    }
}

/// From a row.
pub(crate) fn parse_reason(name: &str) -> Option<KeptBack> {
    [KeptBack::Used, KeptBack::GatesAdmit, KeptBack::Fraud]
        .into_iter()
        .find(|reason| reason_name(*reason) == name)
}

impl RevokedTicket {
    /// What goes back of the hold that has its place: once, because the ticket's id is the key.
    pub(crate) fn part_of(&self, hold: HoldId) -> PartRelease {
        PartRelease {
            id: self.id.as_uuid(),
            hold,
            owner: None,
            seats: self.place.seat().into_iter().collect(),
            buckets: self
                .place
                .bucket()
                .map(|zone| (zone, 1))
                .into_iter()
                .collect(),
        }
    }
}
