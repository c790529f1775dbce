//! What is left of the places that a hold asks for, and what the hold gets of them.

use std::collections::BTreeSet;

use eventify_protocol::ids::{BucketId, HoldId, SeatId, VenueId};
use eventify_protocol::token::CategoryCode;

use super::hold::{
    BucketShortage, Held, HeldBucket, HeldSeat, HoldRefusal, HoldRequest, OutOfStock, SeatRef,
    choose_category,
};

/// What holds need to know of a performance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnSale {
    pub(crate) venue: VenueId,
    /// Its event is published.
    pub(crate) published: bool,
    pub(crate) cancelled: bool,
    /// Its venue does not admit to it as it is planned now.
    pub(crate) declined: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeatStock {
    pub(crate) id: SeatId,
    pub(crate) label: String,
    pub(crate) allowed: Vec<CategoryCode>,
    pub(crate) state: SeatState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeatState {
    Free,
    /// Not sold at this performance.
    Blocked,
    /// Held or sold.
    Taken,
    /// Its hold has expired, but was not released yet.
    Expired(HoldId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketStock {
    pub(crate) id: BucketId,
    pub(crate) zone: String,
    pub(crate) allowed: Vec<CategoryCode>,
    pub(crate) slots: u32,
    pub(crate) remaining: u32,
}

/// The places that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    pub(crate) seats: Vec<SeatStock>,
    pub(crate) buckets: Vec<BucketStock>,
}

impl OnSale {
    /// Whether holds are taken.
    pub(crate) fn check(&self) -> Result<(), HoldRefusal> {
        if self.cancelled {
            return Err(HoldRefusal::Cancelled);
        }
        if !self.published {
            return Err(HoldRefusal::NotOnSale);
        }
        if self.declined {
            return Err(HoldRefusal::Declined);
        }
        Ok(())
    }
}

impl Stock {
    /// What the hold gets if everything is free: no place twice, each in an allowed category.
    pub(crate) fn places(
        &self,
        request: &HoldRequest,
        venue: VenueId,
    ) -> Result<Held, HoldRefusal> {
        let unknown: Vec<_> = request
            .seats
            .iter()
            .filter(|wanted| self.seat(&wanted.seat).is_none())
            .map(|wanted| wanted.seat.to_string())
            .collect();
        if !unknown.is_empty() {
            return Err(HoldRefusal::UnknownSeats(unknown));
        }
        let mut seats = Vec::new();
        for wanted in &request.seats {
            let Some(seat) = self.seat(&wanted.seat) else {
                continue;
            };
            seats.push(HeldSeat {
                seat: seat.id,
                label: seat.label.clone(),
                category: choose_category(&seat.label, wanted.category, &seat.allowed)?,
                allowed: seat.allowed.clone(),
            });
        }
        let distinct: BTreeSet<_> = seats.iter().map(|seat| seat.seat).collect();
        if distinct.len() < seats.len() {
            let issue = "must not have a seat twice, by id and by label".to_owned();
            return Err(HoldRefusal::Invalid {
                field: "seats",
                issue,
            });
        }
        let (hold, performance) = (request.hold, request.performance);
        let buckets = self.bucket_places(request)?;
        Ok(Held {
            hold,
            performance,
            venue,
            expires_at: request.expires_at,
            seats,
            buckets,
        })
    }

    /// What is missing, read without locks.
    pub(crate) fn shortage(&self, request: &HoldRequest) -> Option<OutOfStock> {
        let seats = self
            .seats
            .iter()
            .filter(|seat| matches!(seat.state, SeatState::Taken | SeatState::Blocked))
            .map(|seat| seat.label.clone())
            .collect();
        let buckets = request
            .units()
            .into_iter()
            .filter_map(|(id, wanted)| {
                let remaining = self.bucket(id)?.remaining;
                (remaining < wanted).then_some(BucketShortage {
                    bucket: id,
                    wanted,
                    remaining,
                })
            })
            .collect();
        OutOfStock { seats, buckets }.or_none()
    }

    /// Expired holds that still have one of the seats.
    pub(crate) fn expired(&self) -> Vec<HoldId> {
        let holds: BTreeSet<_> = self
            .seats
            .iter()
            .filter_map(|seat| match seat.state {
                SeatState::Expired(hold) => Some(hold),
                SeatState::Free | SeatState::Blocked | SeatState::Taken => None,
            })
            .collect();
        holds.into_iter().collect()
    }

    /// How many slots a zone has.
    pub(crate) fn slots(&self, bucket: BucketId) -> u32 {
        self.bucket(bucket).map_or(1, |bucket| bucket.slots)
    }

    fn bucket_places(&self, request: &HoldRequest) -> Result<Vec<HeldBucket>, HoldRefusal> {
        let held = request.buckets.iter().map(|wanted| {
            let bucket = self
                .bucket(wanted.bucket)
                .ok_or(HoldRefusal::UnknownBucket(wanted.bucket))?;
            Ok(HeldBucket {
                bucket: bucket.id,
                zone: bucket.zone.clone(),
                quantity: wanted.quantity,
                category: choose_category(&bucket.zone, wanted.category, &bucket.allowed)?,
                allowed: bucket.allowed.clone(),
            })
        });
        held.collect()
    }

    fn seat(&self, wanted: &SeatRef) -> Option<&SeatStock> {
        self.seats.iter().find(|seat| match wanted {
            SeatRef::Id(id) => seat.id == *id,
            SeatRef::Label(label) => seat.label == *label,
        })
    }

    fn bucket(&self, id: BucketId) -> Option<&BucketStock> {
        self.buckets.iter().find(|bucket| bucket.id == id)
    }
}

impl OutOfStock {
    /// `None` when nothing is missing.
    pub(crate) fn or_none(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration, Utc};
    use eventify_protocol::ids::PerformanceId;
    use uuid::Uuid;

    use super::super::attempts::AttemptId;
    use super::super::hold::{BucketWanted, SeatWanted};
    use super::*;

    const ZONE: BucketId = BucketId(Uuid::from_u128(40));

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn stock(states: &[SeatState], remaining: u32) -> Stock {
        let full: CategoryCode = "FULL".parse().unwrap();
        let seats = (1..).zip(states).map(|(number, state)| SeatStock {
            id: SeatId(Uuid::from_u128(number)),
            label: format!("A-{number}"),
            allowed: vec![full],
            state: *state,
        });
        let zone = "Floor".to_owned();
        let buckets = vec![BucketStock {
            id: ZONE,
            zone,
            allowed: vec![full],
            slots: 4,
            remaining,
        }];
        Stock {
            seats: seats.collect(),
            buckets,
        }
    }

    fn request(seats: &[&str], units: u32) -> HoldRequest {
        let wanted = |seat: &&str| SeatWanted {
            seat: SeatRef::parse(seat),
            category: None,
        };
        let bucket = BucketWanted {
            bucket: ZONE,
            quantity: units,
            category: None,
        };
        HoldRequest {
            hold: HoldId(Uuid::from_u128(1)),
            attempt: AttemptId(Uuid::from_u128(4)),
            owner: Uuid::from_u128(3),
            customer: None,
            performance: PerformanceId(Uuid::from_u128(2)),
            seats: seats.iter().map(wanted).collect(),
            buckets: if units == 0 { vec![] } else { vec![bucket] },
            expires_at: now() + Duration::minutes(10),
        }
    }

    fn places(stock: &Stock, request: &HoldRequest) -> Result<Held, HoldRefusal> {
        stock.places(request, VenueId(Uuid::nil()))
    }

    #[test]
    fn seats_are_found_by_id_and_by_label_but_each_once() {
        let stock = stock(&[SeatState::Free, SeatState::Free], 10);
        let id = Uuid::from_u128(1).to_string();
        let held = places(&stock, &request(&[&id, "A-2"], 3)).unwrap();
        let labels: Vec<_> = held.seats.iter().map(|seat| seat.label.as_str()).collect();
        assert_eq!((labels, held.buckets[0].quantity), (vec!["A-1", "A-2"], 3));
        assert!(matches!(
            places(&stock, &request(&[&id, "A-1"], 0)),
            Err(HoldRefusal::Invalid { field: "seats", .. })
        ));
        match places(&stock, &request(&["A-1", "Z-9"], 0)) {
            Err(HoldRefusal::UnknownSeats(seats)) => assert_eq!(seats, ["Z-9"]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let states = [SeatState::Free, SeatState::Taken, SeatState::Blocked];
        let short = stock(&states, 2)
            .shortage(&request(&["A-1", "A-2", "A-3"], 3))
            .unwrap();
        assert_eq!(short.seats, ["A-2", "A-3"]);
        assert_eq!(
            short.buckets,
            [BucketShortage {
                bucket: ZONE,
                wanted: 3,
                remaining: 2
            }]
        );
        assert_eq!(stock(&states[..1], 3).shortage(&request(&["A-1"], 3)), None);
    }

    #[test]
    fn an_expired_hold_is_in_the_way_only_until_it_is_released() {
        let over = HoldId(Uuid::from_u128(7));
        let stock = stock(&[SeatState::Expired(over), SeatState::Expired(over)], 0);
        assert_eq!(stock.shortage(&request(&["A-1", "A-2"], 0)), None);
        assert_eq!(stock.expired(), [over]);
    }
}
