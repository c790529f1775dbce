//! The servers and proxies do what the core, the edge nodes and their tests rely on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auth_double;
mod broker;
mod fault_proxy;
mod isolation;
mod message_proxy;
mod ownership;
mod services;
