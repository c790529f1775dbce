//! Places that are not sold again by themselves when their tickets are revoked: somebody sits there,
//! or may do (DECISIONS 53).

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::KeptBack;
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
    pub(crate) released: Option<Release>,
}

/// Who found that nobody sits there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: UserId,
    /// In their own words.
    pub(crate) note: Option<String>,
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
