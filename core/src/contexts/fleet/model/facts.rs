//! What other contexts' events (and our own changes) say to a venue's feed.

use eventify_protocol::sync::{FeedEntry, PerformanceEntry, PolicyEntry, Subject, Value};

use super::gate::Gate;
use super::node::Node;
use eventify_contracts::event_management::{PerformanceCancelled, PerformanceScheduled};
use eventify_contracts::ticketing::UnknownTicket;

fn entry(subject: Subject, version: i32, value: Option<Value>) -> FeedEntry {
    FeedEntry {
        subject,
        version: u64::try_from(version).unwrap_or_default(),
        value,
    }
}

pub(crate) fn of_gate(gate: &Gate) -> FeedEntry {
    entry(
        Subject::Gate(gate.gate_id),
        gate.version,
        Some(Value::Gate(gate.entry())),
    )
}

/// An announced node is none yet.
pub(crate) fn of_node(node: &Node) -> Option<FeedEntry> {
    let value = Value::Node(node.entry()?);
    Some(entry(
        Subject::Node(node.node_id),
        node.version,
        Some(value),
    ))
}

pub(crate) fn of_policy(max_cache_age_ms: i32, version: i32) -> FeedEntry {
    let max_cache_age_ms = u32::try_from(max_cache_age_ms).unwrap_or_default();
    entry(
        Subject::Policy,
        version,
        Some(Value::Policy(PolicyEntry { max_cache_age_ms })),
    )
}

pub(crate) fn of_key_set(version: u64, bytes: Vec<u8>) -> FeedEntry {
    FeedEntry {
        subject: Subject::KeySet,
        version,
        value: Some(Value::KeySet(bytes)),
    }
}

pub(crate) fn of_performance(event: &PerformanceScheduled, version: i32) -> FeedEntry {
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

pub(crate) fn of_cancelled(event: &PerformanceCancelled, version: i32) -> FeedEntry {
    entry(Subject::Performance(event.performance_id), version, None)
}

pub(crate) fn of_unknown_ticket(unknown: &UnknownTicket) -> FeedEntry {
    FeedEntry {
        subject: Subject::Ticket(unknown.ticket_id),
        version: unknown.version + 1,
        value: None,
    }
}
