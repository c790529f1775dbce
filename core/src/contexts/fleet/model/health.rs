//! Health reports of nodes.

use eventify_protocol::lan::JournalFault;
use eventify_protocol::sync::{Health, Position};
use eventify_protocol::text;
use eventify_protocol::verdict::Mode;

/// A longer version text is cut.
pub(crate) const MAX_SOFTWARE_CHARS: usize = 64;

/// The mode's name in JSON.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Online => "Online",
        Mode::Degraded => "Degraded",
        Mode::Locked => "Locked",
        Mode::Resyncing => "Resyncing",
    }
}

/// The fault's name in JSON.
pub(crate) fn fault_name(fault: JournalFault) -> &'static str {
    match fault {
        JournalFault::Held => "held",
        JournalFault::NoSpace => "noSpace",
    }
}

/// A report whose numbers and text fit their columns, whatever the node has sent.
pub(crate) fn bounded(report: &Health) -> Health {
    let most = i64::MAX.cast_unsigned();
    Health {
        cache_age_ms: report.cache_age_ms.map(|age| age.min(most)),
        head: Position(report.head.0.min(most)),
        unacknowledged: report.unacknowledged.min(most),
        free_bytes: report.free_bytes.min(most),
        unreadable: report.unreadable.map(|texts| texts.min(most)),
        software: report
            .software
            .chars()
            .filter(|c| text::shows(*c))
            .take(MAX_SOFTWARE_CHARS)
            .collect(),
        ..report.clone()
    }
}
