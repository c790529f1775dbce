//! The scanner app without its window: what it knows, what each event makes of it, and what the screen
//! shows ([`view`]). The window draws the view and sends commands ([`command`]).
//!
//! Deliberately absent: any decision to admit (the node decides), toolkits, words (the window has the
//! message files), and reading clocks.

pub mod command;
pub mod view;

#[cfg(test)]
mod typescript;
