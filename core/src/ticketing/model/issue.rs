//! Which tickets a paid order gets.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::{EventId, OrderId, PerformanceId, TicketId, UserId, VenueId};
use eventify_protocol::token::{Claims, InvalidClaims, Token};
use uuid::Uuid;

use super::ticket::Ticket;
use crate::order::events::Item;

/// When and where a performance admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ticketing) struct Performance {
    pub(in crate::ticketing) id: PerformanceId,
    pub(in crate::ticketing) event_id: EventId,
    pub(in crate::ticketing) event_title: String,
    pub(in crate::ticketing) owner_id: UserId,
    pub(in crate::ticketing) org_id: Option<String>,
    pub(in crate::ticketing) venue_id: VenueId,
    pub(in crate::ticketing) doors_at: DateTime<Utc>,
    pub(in crate::ticketing) start_time: DateTime<Utc>,
    pub(in crate::ticketing) ends_at: Option<DateTime<Utc>>,
}

/// How much earlier and later than planned a ticket admits.
#[derive(Clone, Copy, Debug)]
pub(in crate::ticketing) struct Margins {
    /// Before the doors open.
    pub(in crate::ticketing) before_doors: TimeDelta,
    /// After the start of a performance whose end is not known.
    pub(in crate::ticketing) after_start: TimeDelta,
}

/// An order whose tickets are due.
#[derive(Clone, Debug)]
pub(in crate::ticketing) struct PaidOrder {
    pub(in crate::ticketing) id: OrderId,
    pub(in crate::ticketing) customer_id: UserId,
    pub(in crate::ticketing) items: Vec<Item>,
    pub(in crate::ticketing) received_at: DateTime<Utc>,
}

/// Why tickets can't be issued, at least not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::ticketing) enum IssueError {
    #[error("performance {0} is not known")]
    UnknownPerformance(PerformanceId),
    #[error("the ticket key is not in force")]
    KeyNotInForce,
    #[error("an item has more places than a ticket can count")]
    TooMany,
    #[error(transparent)]
    Claims(#[from] InvalidClaims),
}

impl IssueError {
    /// Stable code, for `ticket.issue.failed`.
    pub(in crate::ticketing) fn code(self) -> &'static str {
        match self {
            Self::UnknownPerformance(_) => "performance_unknown",
            Self::KeyNotInForce => "ticket_key_not_in_force",
            Self::TooMany => "too_many_places",
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
pub(in crate::ticketing) fn issue(
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
