//! The tables of event management.

pub(super) mod events;
pub(super) mod performances;
pub(super) mod plans;
pub(super) mod pricing;
