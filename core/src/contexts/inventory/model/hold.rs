//! Holds: the request, the places that it gets, and why it is refused.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId, UserId, VenueId};
use eventify_protocol::token::CategoryCode;
use uuid::Uuid;

use super::attempts::AttemptId;

/// Most seats and zone entries of one hold.
pub const MAX_PLACES_PER_HOLD: usize = 50;
/// Most units of a zone in one entry of a hold.
const MAX_UNITS_PER_BUCKET: u32 = 500;
/// Shortest life of a hold that a service account takes.
const MIN_TTL_SECONDS: u32 = 60;
/// Longest life of a hold that a service account takes.
const MAX_TTL_SECONDS: u32 = 900;

/// A claim on places of one performance, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// Made by the caller, and the idempotency key: the same request again answers the same.
    pub hold: HoldId,
    /// Which request for it this is. Who gets no answer undoes the attempt, and not the hold.
    pub attempt: AttemptId,
    /// A cart or a service account. A request of another owner under the same id is refused.
    pub owner: Uuid,
    /// Who will buy the places; none for a service account's hold.
    pub customer: Option<Buyer>,
    pub performance: PerformanceId,
    /// Numbered seats, none twice.
    pub seats: Vec<SeatWanted>,
    /// Units of zones. The same zone can come several times, with different categories.
    pub buckets: Vec<BucketWanted>,
    /// From then on the places are free again, unless the hold was extended or sold.
    pub expires_at: DateTime<Utc>,
}

/// A customer, and how much they may hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buyer {
    /// Only their order can buy the places.
    pub id: UserId,
    /// Most places of one performance that they may hold and not have paid, all carts together;
    /// none for a box office, which sells to many.
    pub most_held: Option<u32>,
    /// The box office that takes the places for them: they don't count for the customer.
    pub seller: Option<UserId>,
}

/// A numbered seat and its price category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatWanted {
    pub seat: SeatRef,
    /// Refused with [`HoldRefusal::CategoryNotAllowed`] if the seat doesn't allow it.
    pub category: Option<CategoryCode>,
}

/// Units of a zone and their price category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketWanted {
    pub bucket: BucketId,
    /// How many, from 1.
    pub quantity: u32,
    /// Refused with [`HoldRefusal::CategoryNotAllowed`] if the zone doesn't allow it.
    pub category: Option<CategoryCode>,
}

/// How a client names a seat: by id or by label (DECISIONS 23).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeatRef {
    /// `0198…`
    Id(SeatId),
    /// `A-12`
    Label(String),
}

impl SeatRef {
    /// A UUID is an id, everything else a label.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Label(text.to_owned()), Self::Id)
    }
}

impl std::fmt::Display for SeatRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Label(label) => f.write_str(label),
        }
    }
}

/// The places that a hold has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub hold: HoldId,
    pub performance: PerformanceId,
    pub venue: VenueId,
    pub expires_at: DateTime<Utc>,
    /// In the order of the request.
    pub seats: Vec<HeldSeat>,
    /// In the order of the request.
    pub buckets: Vec<HeldBucket>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSeat {
    pub seat: SeatId,
    /// `A-12`
    pub label: String,
    /// The requested category, or the only one that is allowed.
    pub category: Option<CategoryCode>,
    /// Price categories of this seat at this performance.
    pub allowed: Vec<CategoryCode>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBucket {
    pub bucket: BucketId,
    pub zone: String,
    pub quantity: u32,
    /// The requested category, or the only one that is allowed.
    pub category: Option<CategoryCode>,
    /// Price categories of this zone at this performance.
    pub allowed: Vec<CategoryCode>,
}

/// A part of a hold to give back: a removed cart item, a refunded ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRelease {
    /// The idempotency key: the cart item's or the ticket's id.
    pub id: Uuid,
    /// Places that another hold has are not touched.
    pub hold: HoldId,
    /// The owner that the hold must have; otherwise nothing happens. None: the hold was found by its
    /// own order.
    pub owner: Option<Uuid>,
    pub seats: Vec<SeatId>,
    /// Zones and units.
    pub buckets: Vec<(BucketId, u32)>,
}

/// What is missing for a hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutOfStock {
    /// Labels of the seats that another hold has.
    pub seats: Vec<String>,
    /// Zones with too few units.
    pub buckets: Vec<BucketShortage>,
}

/// A zone with too few units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketShortage {
    pub bucket: BucketId,
    pub wanted: u32,
    pub remaining: u32,
}

/// What a customer and a shop read while a venue does not agree.
pub(crate) const DECLINED: &str = "the venue does not admit to this performance as it is planned now: it is not sold until the venue \
     confirms it or the organiser plans it anew";

/// Why a hold was not taken: an answer, not a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldRefusal {
    /// No places, a seat twice, too much at once, an end in the past.
    #[error("'{field}' {issue}")]
    Invalid {
        /// JSON name.
        field: &'static str,
        issue: String,
    },
    /// No such performance, or its seats are not laid out yet.
    #[error("there is no such performance, or it is not ready for sale yet")]
    UnknownPerformance,
    #[error("the performance is not on sale")]
    NotOnSale,
    #[error("the performance was cancelled")]
    Cancelled,
    #[error("{DECLINED}")]
    Declined,
    #[error("the performance has no seat {}", .0.join(", "))]
    UnknownSeats(Vec<String>),
    #[error("the performance has no zone {0}")]
    UnknownBucket(BucketId),
    #[error("{place} is not sold in category {category}")]
    CategoryNotAllowed {
        /// Label of the seat, or name of the zone.
        place: String,
        category: CategoryCode,
    },
    /// Another hold has some of the places; nothing was held.
    #[error("out of stock")]
    OutOfStock(OutOfStock),
    #[error(
        "a customer can hold at most {0} places of a performance at a time: pay or release some"
    )]
    TooManyHeld(u32),
    /// This hold has expired or was released, all of it or a part; it can't come back.
    #[error("the hold has ended")]
    Ended,
    /// The caller gave this attempt up before it arrived.
    #[error("the attempt was undone")]
    Undone,
    #[error("the hold id belongs to another request")]
    IdReused,
}

impl HoldRequest {
    /// The rules that need no stock.
    ///
    /// # Errors
    /// [`HoldRefusal::Invalid`].
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<(), HoldRefusal> {
        let invalid = |field, issue: &str| {
            Err(HoldRefusal::Invalid {
                field,
                issue: issue.to_owned(),
            })
        };
        let places = self.seats.len() + self.buckets.len();
        if places == 0 {
            return invalid("seats", "or 'buckets' must have at least one place");
        }
        if places > MAX_PLACES_PER_HOLD {
            return invalid(
                "seats",
                &format!("and 'buckets' must not have more than {MAX_PLACES_PER_HOLD} entries"),
            );
        }
        let distinct: BTreeSet<_> = self.seats.iter().map(|wanted| &wanted.seat).collect();
        if distinct.len() != self.seats.len() {
            return invalid("seats", "must not have a seat twice");
        }
        let units = 1..=MAX_UNITS_PER_BUCKET;
        let mut quantities = self.buckets.iter().map(|wanted| wanted.quantity);
        if let Some(given) = quantities.find(|given| !units.contains(given)) {
            let issue = format!("must have 1 to {MAX_UNITS_PER_BUCKET} units each; given: {given}");
            return invalid("buckets", &issue);
        }
        if self.expires_at <= now {
            return invalid("expiresAt", "is in the past");
        }
        Ok(())
    }

    /// Two requests under one id are the same if owner and places are. The expiry doesn't count: a
    /// repeat may have computed it again. Nor does the attempt.
    pub(crate) fn fingerprint(&self) -> Hash32 {
        let seats = self
            .seats
            .iter()
            .map(|wanted| (wanted.seat.to_string(), wanted.category));
        let buckets = self.buckets.iter().map(|wanted| {
            (
                format!("{} × {}", wanted.bucket, wanted.quantity),
                wanted.category,
            )
        });
        let mut lines: Vec<_> = seats
            .chain(buckets)
            .map(|(place, category)| format!("{place} {category:?}"))
            .collect();
        lines.sort_unstable();
        let (owner, performance) = (self.owner, self.performance);
        Hash32::of(format!("{owner} {performance} {}", lines.join("\n")).as_bytes())
    }

    /// All places, seats and units.
    pub(crate) fn places(&self) -> u64 {
        let units: u64 = self.units().values().map(|units| u64::from(*units)).sum();
        units + self.seats.len() as u64
    }

    /// Units of each zone, in the order in which zones are locked.
    pub(crate) fn units(&self) -> BTreeMap<BucketId, u32> {
        let mut units = BTreeMap::new();
        for wanted in &self.buckets {
            *units.entry(wanted.bucket).or_default() += wanted.quantity;
        }
        units
    }
}

/// When a service account's hold expires.
///
/// # Errors
/// [`HoldRefusal::Invalid`] outside of [`MIN_TTL_SECONDS`] to [`MAX_TTL_SECONDS`].
pub(crate) fn expiry_after(
    ttl_seconds: u32,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, HoldRefusal> {
    if !(MIN_TTL_SECONDS..=MAX_TTL_SECONDS).contains(&ttl_seconds) {
        return Err(HoldRefusal::Invalid {
            field: "ttlSeconds",
            issue: format!("must be {MIN_TTL_SECONDS} to {MAX_TTL_SECONDS}; given: {ttl_seconds}"),
        });
    }
    Ok(now + Duration::seconds(i64::from(ttl_seconds)))
}

/// The category that a place is held in: the requested one, or the only one that is allowed.
///
/// # Errors
/// [`HoldRefusal::CategoryNotAllowed`].
pub(crate) fn choose_category(
    place: &str,
    wanted: Option<CategoryCode>,
    allowed: &[CategoryCode],
) -> Result<Option<CategoryCode>, HoldRefusal> {
    match (wanted, allowed) {
        (Some(category), allowed) if !allowed.contains(&category) => {
            Err(HoldRefusal::CategoryNotAllowed {
                place: place.to_owned(),
                category,
            })
        }
        (Some(category), _) => Ok(Some(category)),
        (None, [only]) => Ok(Some(*only)),
        (None, _) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
