//! The kernel on real servers, with small contexts of its own.

mod bus;
mod connections;
mod cors;
mod http;
mod jobs;
mod kept_answers;
mod lifelines;
mod log;
mod outages;
mod servers;
mod tasks;
mod uplink;
