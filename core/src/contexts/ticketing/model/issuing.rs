//! Which tickets a paid order gets.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_contracts::order::Item;
use eventify_protocol::ids::{OrderId, PerformanceId, SeatId, TicketId, UserId, VenueId};
use eventify_protocol::token::{Claims, InvalidClaims, Token};
use uuid::Uuid;

use super::codes::TicketCode;
use super::performances::Performance;
use super::tickets::Ticket;

/// How long a token may be good, whatever becomes of its show. The show's own times decide; a token
/// outlives them by so much that its holder needs no other when the show moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenTerms {
    /// After the show, as it is planned when the token is signed.
    pub(crate) outlives_show: TimeDelta,
    /// The latest expiry that the key may vouch for, Unix seconds.
    pub(crate) key_vouches_until: i64,
}

impl TokenTerms {
    /// Begin and expiry of a token that is signed now.
    pub(crate) fn bounds(&self, performance: &Performance, now: DateTime<Utc>) -> (i64, i64) {
        let end = performance.times.admits_until;
        // A show that ends beyond the key's window is refused by the signer.
        let least = end.timestamp() + 1;
        let wide = (end + self.outlives_show).timestamp() + 1;
        (
            now.min(performance.times.admits_from).timestamp(),
            wide.min(self.key_vouches_until).max(least),
        )
    }
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
    /// Codes of what is our own trouble and nobody's fault outside: people end it.
    pub(crate) const OURS: [&'static str; 2] = ["performance_unknown", "ticket_key_not_in_force"];

    /// How long an order waits for its tickets before it fails and its money goes back: long enough for
    /// an event to come through the retry queues; for our own trouble until somebody had the time to end
    /// it.
    pub(crate) fn patience(self) -> TimeDelta {
        if Self::OURS.contains(&self.code()) {
            return TimeDelta::hours(24);
        }
        TimeDelta::minutes(10)
    }

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

/// One ticket for each seat and each place in a zone. `id` makes new ids, `code` short codes at a venue,
/// `sign` tokens.
pub(crate) fn issue(
    order: &PaidOrder,
    performances: &BTreeMap<PerformanceId, Performance>,
    terms: TokenTerms,
    now: DateTime<Utc>,
    mut id: impl FnMut() -> Uuid,
    mut code: impl FnMut(VenueId) -> TicketCode,
    sign: impl Fn(&Claims) -> Result<Token, InvalidClaims>,
) -> Result<Vec<Ticket>, IssueError> {
    let mut tickets = Vec::new();
    for (line, item) in (0..).zip(&order.items) {
        let performance = performances
            .get(&item.performance_id)
            .ok_or(IssueError::UnknownPerformance(item.performance_id))?;
        let (not_before, expiry) = terms.bounds(performance, now);
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
            tickets.push(Ticket {
                code: Some(code(item.venue_id)),
                ..ticket(order, item, (line, unit), &claims, &token, now)
            });
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
        refund: None,
        refunded_scan: None,
        revoked: None,
        check_in: None,
        order_unknown: false,
        passage: 1,
        attended: false,
        revision: claims.revision,
        token: token.as_str().to_owned(),
        token_hash: token.hash(),
        code: None,
        not_before: claims.not_before,
        expiry: claims.expiry,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

#[cfg(test)]
mod tests {
    use eventify_contracts::event_management::PerformanceTimes;
    use eventify_protocol::ids::{BucketId, EventId, HoldId};
    use eventify_protocol::keys::{PrivateKey, Window};
    use eventify_protocol::money::Money;
    use eventify_protocol::token::TicketSigner;

    use super::*;

    const START: i64 = 1_000_000;
    const WEEKS: i64 = 4 * 7 * 86_400;

    fn performance(until: i64) -> Performance {
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Performance {
            id: PerformanceId(Uuid::from_u128(1)),
            event_id: EventId(Uuid::from_u128(2)),
            event_title: "Hamlet".to_owned(),
            owner_id: UserId(Uuid::from_u128(3)),
            org_id: None,
            venue_id: VenueId(Uuid::from_u128(4)),
            times: PerformanceTimes {
                start_time: time(START),
                doors_at: time(START - 3_600),
                ends_at: None,
                admits_from: time(START - 5_400),
                admits_until: time(until),
                restarts_at: None,
            },
            moved: None,
            cancelled: false,
            accepted: true,
        }
    }

    fn order(qty: u32) -> PaidOrder {
        let item = Item {
            performance_id: performance(START + 100).id,
            venue_id: performance(START + 100).venue_id,
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
            not_after: START + 2 * WEEKS,
        };
        let signer = TicketSigner::new(PrivateKey::from_seed(&[1; 32]), window);
        let terms = TokenTerms {
            outlives_show: TimeDelta::seconds(WEEKS),
            key_vouches_until: window.not_after,
        };
        let mut ids = 100..;
        let id = || Uuid::from_u128(ids.next().unwrap());
        let mut codes = 0..;
        let code = |venue| TicketCode::new(&[codes.next().unwrap(); 32], venue);
        issue(
            order,
            &known,
            terms,
            order.received_at,
            id,
            code,
            |claims| signer.sign(claims),
        )
    }

    /// C08: a show that is postponed by weeks needs no new codes.
    #[test]
    fn a_token_is_good_from_now_to_weeks_after_the_show() {
        let until = START + 6 * 3_600;
        let ticket = &issued(&order(1), &[performance(until)]).unwrap()[0];
        assert_eq!((ticket.not_before, ticket.expiry), (0, until + WEEKS + 1));
    }

    #[test]
    fn a_token_ends_with_its_key_at_the_latest() {
        let near = START + 2 * WEEKS - 100;
        let ticket = &issued(&order(1), &[performance(near)]).unwrap()[0];
        assert_eq!(ticket.expiry, START + 2 * WEEKS);
        let beyond = performance(START + 2 * WEEKS);
        assert_eq!(
            issued(&order(1), &[beyond]).unwrap_err().code(),
            "outside_key_window"
        );
    }

    #[test]
    fn each_place_has_its_own_ticket_token_and_short_code() {
        let tickets = issued(&order(3), &[performance(START + 100)]).unwrap();
        let places: Vec<_> = tickets
            .iter()
            .map(|it| (it.line, it.unit, it.version))
            .collect();
        assert_eq!(places, [(0, 0, 1), (0, 1, 1), (0, 2, 1)]);
        assert_ne!(tickets[0].token_hash, tickets[1].token_hash);
        let codes = [&tickets[0], &tickets[1]].map(|it| it.code.expect("with the token"));
        assert_ne!(codes[0].code, codes[1].code);
        assert_eq!(codes[0].hash, codes[0].code.hash(tickets[0].venue_id));
        assert_eq!(tickets[2].claims().ticket, tickets[2].id);
    }

    #[test]
    fn a_performance_that_is_not_known_is_named() {
        let unknown = issued(&order(1), &[]).unwrap_err();
        assert_eq!(unknown.code(), "performance_unknown");
    }
}
