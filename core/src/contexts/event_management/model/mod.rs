//! Pure decisions: an event's states, its performances, their times, its prices, what cancelling means.

pub(super) mod cancellation;
pub(super) mod event;
pub(super) mod performance;
pub(super) mod pricing;
pub(super) mod settings;
pub(super) mod times;
