//! A release that comes late, in every order: who has confirmed has the seat, and what nobody wants
//! is free.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::HoldId;
use proptest::prelude::*;

use super::*;
use crate::contexts::inventory::model::state::{Hold, HoldStatus};

/// One hold of one seat, as the store keeps it and asks the model about it.
struct Stock {
    now: DateTime<Utc>,
    attempts: BTreeMap<AttemptId, AttemptState>,
    hold: Option<Hold>,
}

impl Stock {
    fn new() -> Self {
        Self {
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            attempts: BTreeMap::new(),
            hold: None,
        }
    }

    fn take(&mut self, attempt: AttemptId) -> Result<(), HoldRefusal> {
        let state = AttemptState::arrived(self.attempts.get(&attempt).copied())?;
        let fresh = Hold {
            id: HoldId(Uuid::from_u128(1)),
            status: HoldStatus::Held,
            fingerprint: Some(Hash32::ZERO),
            expires_at: Some(self.now + Duration::minutes(10)),
            owner: None,
            customer: None,
            order: None,
        };
        let hold = self.hold.get_or_insert(fresh);
        if !hold.is_active(self.now) {
            return Err(HoldRefusal::Ended);
        }
        self.attempts.insert(attempt, state);
        Ok(())
    }

    fn undo(&mut self, attempt: AttemptId) {
        self.attempts.insert(attempt, AttemptState::Undone);
        if !self
            .attempts
            .values()
            .any(|it| *it == AttemptState::Standing)
        {
            self.end(EndedBy::Undo);
        }
    }

    fn end(&mut self, by: EndedBy) {
        let now = self.now;
        if let Some(hold) = self.hold.as_mut().filter(|it| it.is_ended_by(by, now)) {
            hold.status = HoldStatus::Released;
        }
    }

    /// Whether the hold was there to be confirmed.
    fn confirm(&mut self) -> bool {
        let now = self.now;
        let active = self.hold.as_mut().filter(|it| it.is_active(now));
        active.map(|it| it.status = HoldStatus::Confirmed).is_some()
    }

    fn sell(&mut self) -> bool {
        let unsold = self.hold.as_mut().filter(|it| !it.is_released());
        unsold.map(|it| it.status = HoldStatus::Sold).is_some()
    }

    fn is_free(&self) -> bool {
        self.hold.as_ref().is_none_or(Hold::is_released)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivered {
    /// The attempt that got no answer: its first and second try.
    FirstAttempt,
    /// Its release, as often as the task is repeated.
    UndoFirst,
    /// What the customer does next: tries again, confirms, pays.
    Customer,
    /// The time of an open cart passes.
    Expiry,
}

const FIRST: AttemptId = AttemptId(Uuid::from_u128(10));
const SECOND: AttemptId = AttemptId(Uuid::from_u128(20));

/// What the customer was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    InTheCart,
    Confirmed,
    Paid,
    Refused,
}

fn next(stock: &mut Stock, told: Told) -> Told {
    let refused_unless = |done, told| if done { told } else { Told::Refused };
    match told {
        Told::Nothing => refused_unless(stock.take(SECOND).is_ok(), Told::InTheCart),
        Told::InTheCart => refused_unless(stock.confirm(), Told::Confirmed),
        Told::Confirmed => refused_unless(stock.sell(), Told::Paid),
        Told::Paid | Told::Refused => told,
    }
}

proptest! {
    /// S3: the release of an attempt that timed out freed the seat that its customer had confirmed on
    /// the second attempt, and somebody else paid for it too.
    #[test]
    fn who_confirmed_has_the_seat_however_late_a_release_comes(
        deliveries in Just(vec![
            Delivered::FirstAttempt, Delivered::FirstAttempt,
            Delivered::UndoFirst, Delivered::UndoFirst,
            Delivered::Customer, Delivered::Customer, Delivered::Customer,
            Delivered::Expiry,
        ]).prop_shuffle(),
    ) {
        let (mut stock, mut told) = (Stock::new(), Told::Nothing);
        for delivered in deliveries {
            match delivered {
                Delivered::FirstAttempt => drop(stock.take(FIRST)),
                Delivered::UndoFirst => stock.undo(FIRST),
                Delivered::Customer => told = next(&mut stock, told),
                Delivered::Expiry => {
                    stock.now += Duration::minutes(11);
                    stock.end(EndedBy::Expiry);
                    if told == Told::InTheCart {
                        told = Told::Refused;
                    }
                }
            }
            if [Told::InTheCart, Told::Confirmed, Told::Paid].contains(&told) {
                prop_assert!(!stock.is_free(), "{told:?}");
            }
        }
        let has = told == Told::Paid;
        prop_assert_eq!(stock.hold.as_ref().is_some_and(Hold::is_sold), has, "{:?}", told);
    }

    /// The other way round: what was given up is free in the end, whatever overtook what.
    #[test]
    fn what_everybody_gave_up_is_free(
        deliveries in Just(vec![
            (FIRST, true), (FIRST, true), (FIRST, false),
            (SECOND, true), (SECOND, true), (SECOND, false),
        ]).prop_shuffle(),
    ) {
        let mut stock = Stock::new();
        for (attempt, takes) in deliveries {
            if takes {
                drop(stock.take(attempt));
            } else {
                stock.undo(attempt);
            }
        }
        prop_assert!(stock.is_free());
    }
}

#[test]
fn a_cart_that_ends_frees_what_is_confirmed_and_only_a_refund_what_is_sold() {
    for (by, confirmed, sold) in [
        (EndedBy::Expiry, false, false),
        (EndedBy::Undo, false, false),
        (EndedBy::Cart(EndReason::Expired), true, false),
        (EndedBy::OrderCancelled, true, false),
        (EndedBy::OrderRefunded, true, true),
    ] {
        let mut stock = Stock::new();
        stock.take(FIRST).unwrap();
        assert!(stock.confirm());
        let mut of = |by| {
            stock.end(by);
            stock.is_free()
        };
        assert_eq!(of(by), confirmed, "{by:?}");
        let mut stock = Stock::new();
        stock.take(FIRST).unwrap();
        assert!(stock.sell());
        stock.end(by);
        assert_eq!(stock.is_free(), sold, "{by:?}");
    }
}
