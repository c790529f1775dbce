//! The sync engine: a node's stories, the core's decisions, and both ends in a simulated world.

mod counter;
mod feeds;
mod journals;
mod late_refusals;
mod reconciliation;
mod sim;
mod stories;
mod taken_back;
