//! Ticketing on real PostgreSQL and RabbitMQ: tickets, keys, scans, journals. The other contexts'
//! events are published by the test.

mod admission;
mod check_in;
mod issuing;
mod journals;
mod keys;
mod line;
mod stage;
#[path = "../support/mod.rs"]
mod support;
