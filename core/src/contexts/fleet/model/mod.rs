//! Fleet's decisions, without IO.

pub(super) mod alarm;
pub(super) mod authority;
pub(super) mod broker;
pub(super) mod comparison;
pub(super) mod facts;
pub(super) mod feed;
pub(super) mod gate;
pub(super) mod health;
pub(super) mod node;
pub(super) mod report;
pub(crate) mod settings;
