//! Events of the neighbours, made up.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_contracts::event_management::{
    PerformanceFacts, PerformanceScheduled, PerformanceTimes,
};
use eventify_contracts::ticketing::{TicketFacts, TicketIssued, TicketState};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{
    EventId, OrderId, PerformanceId, PricingSchemeId, SeatingPlanId, TicketId, VenueId,
};
use eventify_protocol::short_code::CodeTag;
use uuid::Uuid;

/// A valid ticket of one performance; its version is 1.
pub(crate) fn ticket(venue_id: VenueId, number: u128) -> TicketFacts {
    let id = Uuid::from_u128((7 << 100) + number);
    TicketFacts {
        ticket_id: TicketId(id),
        version: 1,
        venue_id,
        performance_id: PerformanceId(Uuid::from_u128(5)),
        seat_id: None,
        seat_label: Some("A-12".to_owned()),
        bucket_id: None,
        zone: None,
        code_tag: Some(CodeTag(u64::try_from(number).unwrap().to_be_bytes())),
        category: "STALLS".parse().unwrap(),
        token_hash: Hash32::of(id.as_bytes()),
        not_before: 1_900_000_000,
        expiry: 1_900_010_000,
        state: TicketState::Valid,
    }
}

/// An order's tickets.
pub(crate) fn issue(tickets: Vec<TicketFacts>) -> TicketIssued {
    TicketIssued {
        order_id: OrderId(tickets[0].ticket_id.as_uuid()),
        customer_id: Uuid::nil(),
        tickets,
    }
}

/// A performance in the venue.
pub(crate) fn performance(venue_id: VenueId, start_time: DateTime<Utc>) -> PerformanceScheduled {
    PerformanceScheduled {
        performance_id: PerformanceId(Uuid::from_u128(5)),
        facts: PerformanceFacts {
            event_id: EventId(Uuid::from_u128(6)),
            event_title: "Evening concert".to_owned(),
            event_version: 1,
            owner_id: Uuid::nil(),
            org_id: None,
            times: PerformanceTimes {
                start_time,
                doors_at: start_time,
                ends_at: None,
                admits_from: start_time,
                admits_until: start_time + TimeDelta::hours(6),
                restarts_at: None,
            },
            sales_opens_at: None,
            sales_closes_at: None,
            venue_id,
            venue_name: "Town hall".to_owned(),
            reentry: false,
            awaits_venue: false,
            seating_plan_id: SeatingPlanId(Uuid::nil()),
            pricing_scheme_id: PricingSchemeId(Uuid::nil()),
            currency: "EUR".to_owned(),
            categories: Vec::new(),
        },
    }
}
