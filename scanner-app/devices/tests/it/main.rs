//! Devices as twins: a pseudo-terminal in the place of a serial line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod serial;
