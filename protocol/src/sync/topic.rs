//! MQTT topics and, with dots for slashes, AMQP routing keys.
//!
//! `ev1/up/<node>/<kind>` and `ev1/down/<node>/<kind>`. A node's rights end at its own id.

use crate::{
    ids::NodeId,
    sync::{Down, Up},
};

/// Topic filter of all that is sent to a node.
#[must_use]
pub fn down_filter(node: NodeId) -> String {
    format!("ev1/down/{node}/+")
}

/// The topic for a message to the core.
#[must_use]
pub fn up(node: NodeId, message: &Up) -> String {
    format!("ev1/up/{node}/{}", up_kind(message))
}

/// The AMQP routing key for a message to a node.
#[must_use]
pub fn down_key(node: NodeId, message: &Down) -> String {
    format!("ev1.down.{node}.{}", down_kind(message))
}

/// Reads the node from an uplink routing key: `ev1.up.<node>.<kind>`.
#[must_use]
pub fn node_of_key(key: &str) -> Option<NodeId> {
    let mut parts = key.split('.');
    match (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) {
        (Some("ev1"), Some("up"), Some(node), Some(_), None) => node.parse().ok(),
        _ => None,
    }
}

/// Kind of an uplink message: the last level of its topic.
#[must_use]
pub fn up_kind(message: &Up) -> &'static str {
    match message {
        Up::Hello(_) => "hello",
        Up::Ask(_) => "ask",
        Up::Scan(_) => "scan",
        Up::Journal(_) => "journal",
        Up::Health(_) => "health",
        Up::Pull(_) => "pull",
        Up::Scanners(_) => "scanners",
        Up::Staff(_) => "staff",
    }
}

/// Kind of a downlink message: the last level of its topic.
#[must_use]
pub fn down_kind(message: &Down) -> &'static str {
    match message {
        Down::Welcome(_) => "welcome",
        Down::Point(_) => "point",
        Down::Verdict(_) => "verdict",
        Down::Delta(_) => "delta",
        Down::Chunk(_) => "chunk",
        Down::JournalAck(_) => "ack",
        Down::Config(_) => "config",
        Down::SnapshotGone(_) => "gone",
        Down::Staff(_) => "staff",
        Down::HolderKeys(_) => "holders",
    }
}
