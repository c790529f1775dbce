//! The only place of this crate that reads a clock or draws randomness.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the crate's clock module"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `BYTES` random bytes in hexadecimal: a name that no other run or test has.
pub(crate) fn random_name<const BYTES: usize>() -> String {
    hex::encode(rand::random::<[u8; BYTES]>())
}

/// A port below Linux's ephemeral range (32768…), so that no outgoing connection uses it.
pub(crate) fn random_port() -> u16 {
    rand::random_range(10_240..32_768)
}
