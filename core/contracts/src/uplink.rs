//! The queues that collect what edge nodes send over MQTT (ADMISSION 6.1).

use eventify_kernel::bus::Uplink;

/// Scans: short-lived, and they share transactions.
pub const SCAN: Uplink = Uplink {
    queue: "edge.scan",
    bindings: &["ev1.up.*.scan"],
    is_durable: false,
    is_grouped: true,
};

/// Questions for a sync point: short-lived.
pub const ASK: Uplink = Uplink {
    queue: "edge.ask",
    bindings: &["ev1.up.*.ask"],
    is_durable: false,
    is_grouped: false,
};

/// Journal rows: kept.
pub const JOURNAL: Uplink = Uplink {
    queue: "edge.journal",
    bindings: &["ev1.up.*.journal"],
    is_durable: true,
    is_grouped: false,
};

/// Hello, pull, health, scanners, staff: short-lived.
pub const CONTROL: Uplink = Uplink {
    queue: "edge.control",
    bindings: &[
        "ev1.up.*.hello",
        "ev1.up.*.pull",
        "ev1.up.*.health",
        "ev1.up.*.scanners",
        "ev1.up.*.staff",
    ],
    is_durable: false,
    is_grouped: false,
};

/// All of them.
pub const ALL: [Uplink; 4] = [SCAN, ASK, JOURNAL, CONTROL];
