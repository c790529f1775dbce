//! Which tickets a paid order gets.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_contracts::order::Item;
use eventify_protocol::ids::{EventId, OrderId, PerformanceId, SeatId, TicketId, UserId, VenueId};
use eventify_protocol::token::{Claims, InvalidClaims, Token};
use uuid::Uuid;

use super::tickets::Ticket;

/// When and where a performance admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) event_title: String,
    pub(crate) owner_id: UserId,
    pub(crate) org_id: Option<String>,
    pub(crate) venue_id: VenueId,
    pub(crate) doors_at: DateTime<Utc>,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

/// How much earlier and later than planned a ticket admits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margins {
    /// Before the doors open.
    pub(crate) before_doors: TimeDelta,
    /// After the start of a performance whose end is not known.
    pub(crate) after_start: TimeDelta,
}

/// An order whose tickets are due.
#[derive(Clone, Debug)]
pub(crate) struct PaidOrder {
    pub(crate) id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) items: Vec<Item>,
    pub(crate) received_at: DateTime<Utc>,
}

/// What ticketing has done for an order.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Its tickets are due.
    Paid(PaidOrder),
    Issued,
    /// Its tickets could not be issued in time.
    Failed {
        reason: String,
    },
    /// Refunded before tickets were issued.
    Closed,
}

/// Why tickets can't be issued, at least not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IssueError {
    #[error("performance {0} is not known")]
    UnknownPerformance(PerformanceId),
    #[error("the ticket key is not in force")]
    KeyNotInForce,
    #[error("an item has more places than a ticket can count")]
    TooMany,
    #[error("seat {0} has a ticket of another order")]
    SeatTaken(SeatId),
    #[error(transparent)]
    Claims(#[from] InvalidClaims),
}

impl IssueError {
    /// Stable code, for `ticket.issue.failed`.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::UnknownPerformance(_) => "performance_unknown",
            Self::KeyNotInForce => "ticket_key_not_in_force",
            Self::TooMany => "too_many_places",
            Self::SeatTaken(_) => "seat_taken",
            Self::Claims(InvalidClaims::OutsideKeyWindow) => "outside_key_window",
            Self::Claims(InvalidClaims::NeverValid | InvalidClaims::TimeOutOfRange) => {
                "performance_times"
            }
        }
    }
}

impl Performance {
    /// Admitted from and until, Unix seconds. A second that has begun counts as whole.
    fn admits(&self, margins: Margins) -> (i64, i64) {
        let until = self
            .ends_at
            .unwrap_or(self.start_time + margins.after_start);
        (
            (self.doors_at - margins.before_doors).timestamp(),
            until.timestamp() + i64::from(until.timestamp_subsec_nanos() > 0),
        )
    }
}

/// One ticket for each seat and each place in a zone. `id` makes new ids, `sign` tokens.
pub(crate) fn issue(
    order: &PaidOrder,
    performances: &BTreeMap<PerformanceId, Performance>,
    margins: Margins,
    now: DateTime<Utc>,
    mut id: impl FnMut() -> Uuid,
    sign: impl Fn(&Claims) -> Result<Token, InvalidClaims>,
) -> Result<Vec<Ticket>, IssueError> {
    let mut tickets = Vec::new();
    for (line, item) in (0..).zip(&order.items) {
        let performance = performances
            .get(&item.performance_id)
            .ok_or(IssueError::UnknownPerformance(item.performance_id))?;
        let (not_before, expiry) = performance.admits(margins);
        for unit in 0..i32::try_from(item.qty).map_err(|_| IssueError::TooMany)? {
            let claims = Claims {
                ticket: TicketId(id()),
                performance: performance.id,
                category: item.price_category,
                not_before,
                expiry,
                revision: 1,
            };
            let token = sign(&claims)?;
            tickets.push(ticket(order, item, (line, unit), &claims, &token, now));
        }
    }
    Ok(tickets)
}

fn ticket(
    order: &PaidOrder,
    item: &Item,
    (line, unit): (i32, i32),
    claims: &Claims,
    token: &Token,
    now: DateTime<Utc>,
) -> Ticket {
    Ticket {
        id: claims.ticket,
        order_id: order.id,
        line,
        unit,
        customer_id: order.customer_id,
        performance_id: item.performance_id,
        venue_id: item.venue_id,
        seat_id: item.seat_id,
        seat_label: item.seat_label.clone(),
        bucket_id: item.bucket_id,
        zone: item.zone.clone(),
        category: item.price_category,
        unit_price: item.unit_price,
        hold_id: item.hold_id,
        revoked: None,
        check_in: None,
        order_unknown: false,
        passage: 1,
        revision: claims.revision,
        token: token.as_str().to_owned(),
        token_hash: token.hash(),
        not_before: claims.not_before,
        expiry: claims.expiry,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::ids::{BucketId, HoldId};
    use eventify_protocol::keys::{PrivateKey, Window};
    use eventify_protocol::money::Money;
    use eventify_protocol::token::TicketSigner;

    use super::*;

    const START: i64 = 1_000_000;
    const MARGINS: Margins = Margins {
        before_doors: TimeDelta::minutes(30),
        after_start: TimeDelta::hours(6),
    };

    fn performance(ends_at_ms: Option<i64>) -> Performance {
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Performance {
            id: PerformanceId(Uuid::from_u128(1)),
            event_id: EventId(Uuid::from_u128(2)),
            event_title: "Hamlet".to_owned(),
            owner_id: UserId(Uuid::from_u128(3)),
            org_id: None,
            venue_id: VenueId(Uuid::from_u128(4)),
            doors_at: time(START - 3_600),
            start_time: time(START),
            ends_at: ends_at_ms.map(|ms| DateTime::from_timestamp_millis(ms).unwrap()),
        }
    }

    fn order(qty: u32) -> PaidOrder {
        let item = Item {
            performance_id: performance(None).id,
            venue_id: performance(None).venue_id,
            seat_id: None,
            seat_label: None,
            bucket_id: Some(BucketId(Uuid::from_u128(5))),
            zone: Some("Floor".to_owned()),
            qty,
            price_category: "FLOOR".parse().unwrap(),
            unit_price: Money::parse("EUR", "10.00").unwrap(),
            hold_id: HoldId(Uuid::from_u128(6)),
        };
        PaidOrder {
            id: OrderId(Uuid::from_u128(7)),
            customer_id: UserId(Uuid::from_u128(8)),
            items: vec![item],
            received_at: DateTime::from_timestamp(0, 0).unwrap(),
        }
    }

    fn issued(order: &PaidOrder, known: &[Performance]) -> Result<Vec<Ticket>, IssueError> {
        let known = known.iter().map(|it| (it.id, it.clone())).collect();
        let window = Window {
            not_before: 0,
            not_after: START + 7 * 3_600,
        };
        let signer = TicketSigner::new(PrivateKey::from_seed(&[1; 32]), window);
        let mut ids = 100..;
        let id = || Uuid::from_u128(ids.next().unwrap());
        issue(order, &known, MARGINS, order.received_at, id, |claims| {
            signer.sign(claims)
        })
    }

    #[test]
    fn tickets_admit_from_before_the_doors_to_the_end() {
        let open = &issued(&order(1), &[performance(None)]).unwrap()[0];
        assert_eq!(
            (open.not_before, open.expiry),
            (START - 3_600 - 1_800, START + 6 * 3_600)
        );
        let ends = START * 1_000 + 7_200_001;
        let planned = &issued(&order(1), &[performance(Some(ends))]).unwrap()[0];
        assert_eq!(
            planned.expiry,
            START + 7_201,
            "a second that has begun is whole"
        );
    }

    #[test]
    fn each_place_has_its_own_ticket_and_token() {
        let tickets = issued(&order(3), &[performance(None)]).unwrap();
        let places: Vec<_> = tickets
            .iter()
            .map(|it| (it.line, it.unit, it.version))
            .collect();
        assert_eq!(places, [(0, 0, 1), (0, 1, 1), (0, 2, 1)]);
        assert_ne!(tickets[0].token_hash, tickets[1].token_hash);
        assert_eq!(tickets[2].claims().ticket, tickets[2].id);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let unknown = issued(&order(1), &[]).unwrap_err();
        assert_eq!(unknown.code(), "performance_unknown");
        let late = performance(Some((START + 8 * 3_600) * 1_000));
        assert_eq!(
            issued(&order(1), &[late]).unwrap_err().code(),
            "outside_key_window"
        );
        let before = performance(Some((START - 3 * 3_600) * 1_000));
        assert_eq!(
            issued(&order(1), &[before]).unwrap_err().code(),
            "performance_times"
        );
    }
}
