//! Ticketing on real PostgreSQL and RabbitMQ: tickets, keys, scans, journals. The other contexts'
//! events are published by the test.
mod admission;
mod check_in;
mod first;
mod issuing;
mod journal;
mod journals;
mod keys;
mod line;
mod stage;
