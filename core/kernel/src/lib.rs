//! The floor that every context of the core stands on: configuration, HTTP, PostgreSQL, RabbitMQ,
//! jobs and durable tasks. It knows no context: what a context needs from here it registers
//! ([`context::Context`]) or is given ([`app::App`]).
//!
//! # What is deliberately not here
//! Storage traits, a service locator, thread-local context: what a function needs is an argument.
//! Time and ids come from [`clock::Clock`] alone.

pub mod alarms;
pub mod app;
pub mod arrivals;
pub mod auth;
pub mod breaker;
pub mod bus;
pub mod cause;
pub mod clock;
pub mod config;
mod connectivity;
pub mod context;
pub mod db;
pub mod event;
pub mod failure;
pub mod fault_injection;
pub mod group_commit;
pub mod housekeeping;
pub mod http;
pub mod jobs;
pub mod kept;
pub mod keys;
mod lifelines;
pub mod mail;
mod names;
pub mod outbox_notifier;
pub mod pace;
pub mod quotas;
pub mod schemas;
pub mod single_flight;
pub mod supervision;
pub mod tasks;
pub mod telemetry;
