//! The sync engine: both ends of the line between core and edge node, without IO.
//!
//! Deliberately not here: IO, an async runtime, SQL, reading a clock, making randomness, iterating
//! over a hash map. Whatever happens here happens again from the same inputs.

pub mod core;
pub mod digest;
pub mod edge;
pub mod rules;
pub mod token;
