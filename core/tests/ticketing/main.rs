//! Ticketing on real PostgreSQL and RabbitMQ: tickets, keys, scans, journals. The other contexts'
//! events are published by the test.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test whose stage can't be set, or that is answered otherwise, has failed"
)]

mod admission;
mod check_in;
mod first;
mod issuing;
mod journal;
mod journals;
mod keys;
mod line;
mod stage;
#[path = "../support/mod.rs"]
mod support;
