//! What other contexts' events (and our own changes) say to a venue's feed.

use eventify_protocol::sync::{
    FeedEntry, PerformanceEntry, PolicyEntry, Subject, TicketEntry, TicketState, UsedBy, Value,
};
use eventify_protocol::time::CoreTime;
use eventify_protocol::token::TokenHash;

use super::gate::Gate;
use super::node::Node;
use crate::event_management::events::{PerformanceCancelled, PerformanceScheduled};
use crate::ticketing::events::{TicketFacts, TicketState as Ticketed};

fn entry(subject: Subject, version: i32, value: Option<Value>) -> FeedEntry {
    FeedEntry {
        subject,
        version: u64::try_from(version).unwrap_or_default(),
        value,
    }
}

pub(in crate::fleet) fn of_gate(gate: &Gate) -> FeedEntry {
    entry(
        Subject::Gate(gate.gate_id),
        gate.version,
        Some(Value::Gate(gate.entry())),
    )
}

/// An announced node is none yet.
pub(in crate::fleet) fn of_node(node: &Node) -> Option<FeedEntry> {
    let value = Value::Node(node.entry()?);
    Some(entry(
        Subject::Node(node.node_id),
        node.version,
        Some(value),
    ))
}

pub(in crate::fleet) fn of_policy(max_cache_age_ms: i32, version: i32) -> FeedEntry {
    let max_cache_age_ms = u32::try_from(max_cache_age_ms).unwrap_or_default();
    entry(
        Subject::Policy,
        version,
        Some(Value::Policy(PolicyEntry { max_cache_age_ms })),
    )
}

pub(in crate::fleet) fn of_key_set(version: u64, bytes: Vec<u8>) -> FeedEntry {
    FeedEntry {
        subject: Subject::KeySet,
        version,
        value: Some(Value::KeySet(bytes)),
    }
}

pub(in crate::fleet) fn of_performance(event: &PerformanceScheduled, version: i32) -> FeedEntry {
    let value = Value::Performance(PerformanceEntry {
        title: event.event_title.clone(),
        doors_at: event.doors_at.timestamp(),
        starts_at: event.start_time.timestamp(),
    });
    entry(
        Subject::Performance(event.performance_id),
        version,
        Some(value),
    )
}

pub(in crate::fleet) fn of_cancelled(event: &PerformanceCancelled, version: i32) -> FeedEntry {
    entry(Subject::Performance(event.performance_id), version, None)
}

pub(in crate::fleet) fn of_ticket(facts: &TicketFacts) -> FeedEntry {
    let state = match &facts.state {
        Ticketed::Valid => TicketState::Valid,
        Ticketed::Revoked => TicketState::Revoked,
        Ticketed::Used {
            scan_id,
            gate_id,
            at,
            confirmed,
        } => TicketState::Used(UsedBy {
            scan: *scan_id,
            gate: *gate_id,
            at: CoreTime::from(*at),
            confirmed: *confirmed,
        }),
    };
    let value = Value::Ticket(TicketEntry {
        token: TokenHash(facts.token_hash),
        performance: facts.performance_id,
        category: facts.category,
        not_before: facts.not_before,
        expiry: facts.expiry,
        state,
    });
    entry(Subject::Ticket(facts.ticket_id), facts.version, Some(value))
}

#[cfg(test)]
mod tests {
    use eventify_protocol::hash::Hash32;
    use eventify_protocol::ids::{PerformanceId, TicketId, VenueId};
    use uuid::Uuid;

    use super::*;

    /// With a category of up to 11 characters; the longest, 16, costs five more.
    #[test]
    fn a_ticket_costs_at_most_100_bytes_of_a_snapshot() {
        let facts = TicketFacts {
            ticket_id: TicketId(Uuid::from_u128(u128::MAX)),
            version: 100,
            venue_id: VenueId(Uuid::from_u128(u128::MAX)),
            performance_id: PerformanceId(Uuid::from_u128(u128::MAX)),
            seat_id: None,
            seat_label: Some("Balcony left, row 12, seat 104".to_owned()),
            bucket_id: None,
            category: "STALLS-LEFT".parse().unwrap(),
            token_hash: Hash32([0xff; 32]),
            not_before: i64::from(u32::MAX),
            expiry: i64::from(u32::MAX),
            state: Ticketed::Valid,
        };
        let bytes = of_ticket(&facts).to_bytes();
        assert!(bytes.len() <= 100, "{} bytes", bytes.len());
        let read: FeedEntry = minicbor::decode(&bytes).unwrap();
        assert_eq!(read.version, 100);
    }
}
