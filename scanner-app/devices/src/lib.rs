//! The scanner app's hardware: imagers that type or send over a serial line, and the speaker.
//!
//! | module | what |
//! |---|---|
//! | [`keyboard`] | an imager that is a keyboard to Linux (`evdev`), taken for this app alone |
//! | [`key_names`] | what a key is called, wherever it comes from |
//! | [`serial`] | an imager on a serial line |
//! | [`speaker`] | plays samples |
//!
//! Each device has a thread of its own that lives until its handle is dropped. A device that is unplugged
//! is opened again when it is back. What its keys and bytes mean is the controller's business.

mod clock;
pub mod key_names;
pub mod keyboard;
pub mod serial;
pub mod speaker;
mod worker;

use eventify_scanner_controller::{command::KeyStroke, io::SerialBytes};

pub use worker::Worker;

/// What a device has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// Keys of an imager that types, in their order.
    Keys(Vec<KeyStroke>),
    /// Of an imager on a serial line.
    Bytes {
        /// Cut anywhere.
        bytes: SerialBytes,
        /// Milliseconds on a clock that only runs forward.
        at_ms: u32,
    },
    /// It is there, for the first time or again.
    Found,
    /// It is not there, or no longer.
    Gone {
        /// For venue IT.
        reason: String,
    },
}
