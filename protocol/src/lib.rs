//! Everything that crosses a wire of Eventify: ids, money, the signed ticket token, the messages
//! between core and edge, the venue's LAN API, the error body.
//!
//! Deliberately not here: IO, an async runtime, SQL, reading a clock, making randomness. A type in
//! this crate means the same on every hop.

pub mod enrolment;
pub mod error;
pub mod hash;
pub mod ids;
pub mod keys;
pub mod lan;
pub mod money;
pub mod qr;
mod redacted;
pub mod short_code;
pub mod staff;
pub mod sync;
pub mod text;
mod text_form;
pub mod time;
pub mod token;
pub mod verdict;
pub mod zone;
