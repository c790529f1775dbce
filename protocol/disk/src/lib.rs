//! What the node and the scanner app keep on a disk that a thief may hold: files that survive a power cut
//! and that only their owner can read, and PINs.
//!
//! Deliberately absent: what is in the files, and what a damaged one means. Each program knows that.

pub mod files;
pub mod pin;
