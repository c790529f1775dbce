//! The demo as the end-to-end test, and the demo and `up` as commands.

mod commands;
mod story;
