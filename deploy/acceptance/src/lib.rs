//! Uses Eventify from outside, as its users do: the demo's story, which is also the end-to-end test,
//! and the benchmarks. Everything here talks to real processes over HTTP, MQTT or a command line; the
//! product's servers are not linked.

pub mod api;
pub mod bench;
pub mod clock;
pub mod prompt;
pub mod scanner;
pub mod scenes;
pub mod story;
pub mod wait;
pub mod world;
