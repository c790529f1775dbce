//! Fleet's decisions, without IO.

pub(super) mod alarm;
pub(super) mod authority;
pub(super) mod broker;
pub(super) mod comparison;
pub(super) mod entries;
pub(super) mod gate;
pub(super) mod health;
pub(super) mod holders;
pub(super) mod node;
pub(super) mod outages;
pub(super) mod parts;
pub(super) mod performance;
pub(super) mod policy;
pub(super) mod renewal;
pub(super) mod scanners;
pub(super) mod settings;
pub(super) mod sign_ins;
pub(super) mod staff;
pub(super) mod watch;
