//! The scanner app without its window: what it knows, what each event makes of it, and what the screen
//! shows ([`view`]). The window draws the view and sends commands ([`command`]).
//!
//! Deliberately absent: any decision to admit (the node decides), toolkits, words (the window has the
//! message files), and reading clocks.

mod clock;
pub mod command;
pub mod controller;
pub mod driver;
pub mod io;
pub mod settings;
pub mod tones;
pub mod view;
pub mod wedge;

#[cfg(test)]
mod typescript;
