//! Drives Eventify from outside, as its users do: the demo's story, which is the end-to-end test
//! too, and the benchmarks. Everything here speaks HTTP, MQTT or a command line to real processes;
//! no crate of the product's servers is linked.

pub mod api;
pub mod bench;
pub mod clock;
pub mod prompt;
pub mod scanner;
pub mod scenes;
pub mod story;
pub mod wait;
pub mod world;
