//! The venue in numbers.

use serde::Serialize;
use ts_rs::TS;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct VenueNumbers {
    pub performances: Vec<PerformanceInside>,
    pub gates: Vec<GatePace>,
    /// Of what the node knows of other gates; none while the core answers.
    pub cache_age_ms: Option<u64>,
}

/// Who is inside for a performance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceInside {
    pub performance_id: String,
    pub title: String,
    pub inside: u64,
    pub tickets: u64,
    pub zones: Vec<ZoneInside>,
    pub by_gate: Vec<GateInside>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ZoneInside {
    pub name: String,
    pub inside: u64,
    pub tickets: u64,
}

/// Of those inside, by the gate that let them in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GateInside {
    pub gate_id: String,
    pub name: String,
    pub inside: u64,
}

/// How fast a gate is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GatePace {
    pub gate_id: String,
    pub name: String,
    pub admitted: u64,
    pub refused: u64,
    pub left: u64,
    pub per_minute: u32,
    /// Median time from a scan to the next one.
    pub between_ms: Option<u64>,
    /// Sum of what guests waited for the node.
    pub waited_ms: u64,
    /// There is a queue, and it goes slower than it should.
    pub slow: bool,
}
