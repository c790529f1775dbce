//! Feed entries made of other contexts' events and of fleet's own changes.

use eventify_contracts::ticketing::UnknownTicket;
use eventify_protocol::sync::{FeedEntry, PolicyEntry, Subject, Value};

use super::gate::Gate;
use super::node::Node;
use super::staff::Member;

fn entry(subject: Subject, version: i32, value: Option<Value>) -> FeedEntry {
    FeedEntry {
        subject,
        version: u64::try_from(version).unwrap_or_default(),
        value,
    }
}

pub(crate) fn gate(gate: &Gate) -> FeedEntry {
    let value = Value::Gate(gate.entry());
    entry(Subject::Gate(gate.gate_id), gate.version, Some(value))
}

/// An announced node has no entry yet.
pub(crate) fn node(node: &Node) -> Option<FeedEntry> {
    let value = Value::Node(node.entry()?);
    let subject = Subject::Node(node.node_id);
    Some(entry(subject, node.version, Some(value)))
}

pub(crate) fn policy(policy: PolicyEntry, version: i32) -> FeedEntry {
    let value = Value::Policy(policy);
    entry(Subject::Policy, version, Some(value))
}

/// A deletion, once they have left.
pub(crate) fn person(member: &Member) -> FeedEntry {
    let value = member.entry().map(Value::Person);
    entry(Subject::Person(member.person_id), member.version, value)
}

pub(crate) fn key_set(version: u64, bytes: Vec<u8>) -> FeedEntry {
    FeedEntry {
        subject: Subject::KeySet,
        version,
        value: Some(Value::KeySet(bytes)),
    }
}

pub(crate) fn unknown_ticket(unknown: &UnknownTicket) -> FeedEntry {
    FeedEntry {
        subject: Subject::Ticket(unknown.ticket_id),
        version: unknown.version + 1,
        value: None,
    }
}
