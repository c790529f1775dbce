//! The queues that collect what edge nodes send over MQTT (ADMISSION 6.1). A node's share of each
//! is a multiple of what its machine ever sends; what is more is dropped before it costs anything.

use eventify_kernel::bus::{Binding, Uplink};

/// Scans: short-lived, and they share transactions. All scanners of a node, at their fastest, come to its
/// share; what one node can have of a core that has nothing else to do is measured (`make bench ROW=online`).
pub const SCAN: Uplink = Uplink {
    name: "edge.scan",
    bindings: &[Binding::of("ev1.up.*.scan", 200, 600).with_spare(1_500)],
    is_durable: false,
    is_grouped: true,
};

/// Questions for a sync point: short-lived.
pub const ASK: Uplink = Uplink {
    name: "edge.ask",
    bindings: &[Binding::of("ev1.up.*.ask", 10, 60)],
    is_durable: false,
    is_grouped: false,
};

/// Journal rows: kept.
pub const JOURNAL: Uplink = Uplink {
    name: "edge.journal",
    bindings: &[Binding::of("ev1.up.*.journal", 100, 400)],
    is_durable: true,
    is_grouped: false,
};

/// Hello, pull, health, scanners, staff: short-lived. A hello may wait for a snapshot and a pull sends many
/// chunks: those of one node don't take all places. A node has two pulls open, one while the other's chunks come.
pub const CONTROL: Uplink = Uplink {
    name: "edge.control",
    bindings: &[
        Binding::of("ev1.up.*.hello", 2, 8).one_at_a_time(),
        Binding::of("ev1.up.*.pull", 10, 8)
            .with_spare(20)
            .one_at_a_time(),
        Binding::of("ev1.up.*.health", 2, 60),
        Binding::of("ev1.up.*.scanners", 5, 60),
        Binding::of("ev1.up.*.staff", 10, 60),
    ],
    is_durable: false,
    is_grouped: false,
};

/// All of them.
pub const ALL: [Uplink; 4] = [SCAN, ASK, JOURNAL, CONTROL];
