//! Pure decisions: an event's states, its performances, its prices.

pub(super) mod event;
pub(super) mod performance;
pub(super) mod pricing;
