//! The edge node as others meet it: over TLS, at a real broker, as a process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod enrolment;
mod lan;
mod limits;
mod node;
mod support;
