//! The edge node: the appliance in the venue that decides who is admitted, also while the line to the
//! core is down (`ARCHITECTURE.md`, `ADMISSION`).

pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod enrol;
mod held_file;
pub mod identity;
mod instance_lock;
pub mod journal;
pub mod lan;
pub mod link;
pub mod node;
pub mod owner;
pub mod store;
mod writer_thread;

pub use node::Node;

/// Name and version, as sent to the core.
pub const SOFTWARE: &str = concat!("eventify-edge/", env!("CARGO_PKG_VERSION"));
