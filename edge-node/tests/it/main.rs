//! The edge node from outside: over TLS, at a real broker, as a process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acts;
mod codes;
mod counts;
mod crash;
mod damaged;
mod enrolment;
mod held;
mod lan;
mod limits;
mod losses;
mod node;
mod pairing;
mod renewal;
mod scanner_app;
mod scanners;
mod searches;
mod staff;
mod tools;
mod world;
