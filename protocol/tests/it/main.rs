//! The wire formats as other implementers meet them: golden vectors, properties, round trips.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod messages;
mod properties;
mod qr;
mod token;
mod vectors;
