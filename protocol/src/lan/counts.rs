//! How many are inside, and how fast the gates are.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{GateId, PerformanceId},
    token::CategoryCode,
};

/// `GET /v1/counts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VenueCounts {
    /// Those of [`super::NodeStatus::performances`].
    pub performances: Vec<PerformanceCounts>,
    /// The gates of this node, as it has counted itself since its start.
    pub gates: Vec<GateFlow>,
    /// How old what the node knows of other gates is; none while the core answers.
    pub cache_age_ms: Option<u64>,
}

/// Guests of a performance, whichever gate they came through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceCounts {
    pub performance_id: PerformanceId,
    pub title: String,
    /// Inside now.
    pub inside: u64,
    /// Good tickets, used or not.
    pub tickets: u64,
    /// The same by category or zone, by name.
    pub zones: Vec<ZoneCounts>,
    /// Of those inside, by the gate that let them in; also gates of other nodes.
    pub by_gate: Vec<InsideByGate>,
}

/// See [`PerformanceCounts::zones`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneCounts {
    pub category: CategoryCode,
    /// What people call it.
    pub name: String,
    pub inside: u64,
    pub tickets: u64,
}

/// See [`PerformanceCounts::by_gate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InsideByGate {
    pub gate_id: GateId,
    pub name: String,
    pub inside: u64,
}

/// A gate's pace. Over the last [`FLOW_WINDOW_MS`], but for the sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateFlow {
    pub gate_id: GateId,
    pub name: String,
    /// Sum since the node's start.
    pub admitted: u64,
    /// Sum since the node's start.
    pub refused: u64,
    /// Sum since the node's start, of guests who left with a scan.
    pub left: u64,
    /// Scans in the last minute.
    pub scans_last_minute: u32,
    /// Between a scan and the next one; none of fewer than three scans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_between_ms: Option<u64>,
    /// From a scan's arrival at the node to its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_answer_ms: Option<u64>,
    /// Sum since the node's start of what guests waited for this node beyond [`UNHURRIED_MS`] a scan.
    pub waited_ms: u64,
}

/// How far back a gate's pace looks.
pub const FLOW_WINDOW_MS: u64 = 300_000;

/// An answer within this keeps nobody waiting.
pub const UNHURRIED_MS: u64 = 150;
