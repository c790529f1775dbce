//! Codes from keys and bytes. An imager types a code like a very fast person, on a keyboard whose layout
//! it does not know; over a serial line it sends the same characters as bytes.
//!
//! | file | what |
//! |---|---|
//! | [`keys`] | which character a physical key is on the US keyboard that imagers play |
//! | [`assembler`] | which characters belong to one code, and which a person has typed |
//! | `codes` | whether a text is a whole code, by its own structure |
//!
//! Deliberately absent: what a code means, and devices.

pub mod assembler;
mod codes;
pub mod keys;

pub use assembler::{Assembled, Assembler};
pub use keys::{Key, key};
