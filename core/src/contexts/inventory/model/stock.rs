//! What is left of the places that a hold asks for, and what the hold gets of them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{BucketId, HoldId, SeatId, VenueId};
use eventify_protocol::token::CategoryCode;

use super::hold::{
    BucketShortage, Held, HeldBucket, HeldSeat, HoldRefusal, HoldRequest, OutOfStock, SeatRef,
    choose_category,
};

/// A performance, as far as holds depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnSale {
    pub(crate) venue: VenueId,
    /// Its event is published.
    pub(crate) published: bool,
    pub(crate) cancelled: bool,
}

/// A seat of the performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeatStock {
    pub(crate) id: SeatId,
    pub(crate) label: String,
    pub(crate) allowed: Vec<CategoryCode>,
    pub(crate) state: SeatState,
}

/// Whether a seat is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeatState {
    Free,
    /// Not sold at this performance.
    Blocked,
    /// Held or sold.
    Taken,
    /// Its hold is over, but not swept up yet.
    Lapsed(HoldId),
}

/// A zone of the performance.
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

/// A hold that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownHold {
    pub(crate) status: HoldStatus,
    pub(crate) fingerprint: Option<Hash32>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// `held → confirmed → sold`, and `released` from each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldStatus {
    /// Expires by itself.
    Held,
    /// Waits for its payment.
    Confirmed,
    /// Paid.
    Sold,
    /// Over. Also of a hold that was released before it came.
    Released,
}

impl OnSale {
    /// Whether holds are taken.
    pub(crate) fn check(&self) -> Result<(), HoldRefusal> {
        if self.cancelled {
            return Err(HoldRefusal::Cancelled);
        }
        if self.published {
            Ok(())
        } else {
            Err(HoldRefusal::NotOnSale)
        }
    }
}

impl Stock {
    /// What the hold gets, if everything is free: each place once, in an allowed category.
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
            let issue = "names a seat twice, by id and by label".to_owned();
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

    /// What is missing, as far as reading without locks can tell.
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

    /// Holds that are over and in the way.
    pub(crate) fn lapsed(&self) -> Vec<HoldId> {
        let holds: BTreeSet<_> = self
            .seats
            .iter()
            .filter_map(|seat| match seat.state {
                SeatState::Lapsed(hold) => Some(hold),
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

impl KnownHold {
    /// The answer to the same request again: what it got, if it still has it.
    pub(crate) fn answer(
        &self,
        fingerprint: Hash32,
        held: Held,
        now: DateTime<Utc>,
    ) -> Result<Held, HoldRefusal> {
        if self.fingerprint.is_some_and(|first| first != fingerprint) {
            return Err(HoldRefusal::IdReused);
        }
        match (self.status, self.expires_at) {
            (HoldStatus::Released, _) | (_, None) => Err(HoldRefusal::Ended),
            (HoldStatus::Held, Some(expires_at)) if expires_at <= now => Err(HoldRefusal::Ended),
            (HoldStatus::Held | HoldStatus::Confirmed | HoldStatus::Sold, Some(expires_at)) => {
                Ok(Held { expires_at, ..held })
            }
        }
    }

    /// Whether it has expired by itself.
    pub(crate) fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        self.status == HoldStatus::Held && !self.is_alive(now)
    }

    /// Whether it can still be bound to a confirmed reservation.
    pub(crate) fn is_alive(&self, now: DateTime<Utc>) -> bool {
        match self.status {
            HoldStatus::Held => self.expires_at.is_some_and(|expires_at| expires_at > now),
            HoldStatus::Confirmed | HoldStatus::Sold => true,
            HoldStatus::Released => false,
        }
    }
}

impl HoldStatus {
    /// Reads a stored status.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "held" => Some(Self::Held),
            "confirmed" => Some(Self::Confirmed),
            "sold" => Some(Self::Sold),
            "released" => Some(Self::Released),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use eventify_protocol::ids::PerformanceId;
    use uuid::Uuid;

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
    fn a_lapsed_hold_is_in_the_way_only_until_it_is_swept_up() {
        let over = HoldId(Uuid::from_u128(7));
        let stock = stock(&[SeatState::Lapsed(over), SeatState::Lapsed(over)], 0);
        assert_eq!(stock.shortage(&request(&["A-1", "A-2"], 0)), None);
        assert_eq!(stock.lapsed(), [over]);
    }

    #[test]
    fn a_repeat_gets_its_first_answer_and_a_hold_never_comes_back() {
        let request = request(&["A-1"], 0);
        let held = places(&stock(&[SeatState::Taken], 0), &request).unwrap();
        let until = now() + Duration::minutes(3);
        let known = |status, expires_at| KnownHold {
            status,
            fingerprint: Some(request.fingerprint()),
            expires_at: Some(expires_at),
        };
        let answer = |known: KnownHold| {
            known
                .answer(request.fingerprint(), held.clone(), now())
                .map(|held| held.expires_at)
        };
        assert_eq!(answer(known(HoldStatus::Held, until)).unwrap(), until);
        assert_eq!(answer(known(HoldStatus::Confirmed, now())).unwrap(), now());
        for ended in [
            known(HoldStatus::Held, now()),
            known(HoldStatus::Released, until),
        ] {
            assert!(
                matches!(answer(ended), Err(HoldRefusal::Ended)),
                "{ended:?}"
            );
        }
        let other = KnownHold {
            fingerprint: Some(Hash32::ZERO),
            ..known(HoldStatus::Held, until)
        };
        assert!(matches!(answer(other), Err(HoldRefusal::IdReused)));
        let early = KnownHold {
            status: HoldStatus::Released,
            fingerprint: None,
            expires_at: None,
        };
        assert!(matches!(answer(early), Err(HoldRefusal::Ended)));
    }
}
