//! The sync engine: both ends of the line between core and edge node, without IO.
//!
//! Deliberately not here: IO, an async runtime, SQL, a clock, randomness, iteration over a hash map.
//! The same inputs always give the same results.

pub mod core;
pub mod digest;
pub mod edge;
pub mod rules;
pub mod token;
