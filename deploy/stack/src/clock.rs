//! The only place of this crate that reads a clock or draws randomness.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the crate's clock module"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A name that no other run and no other test will draw: `bytes` random bytes in hexadecimal.
pub(crate) fn random_name<const BYTES: usize>() -> String {
    hex::encode(rand::random::<[u8; BYTES]>())
}

/// A port below Linux's ephemeral range (32768…), where no outgoing connection can sit by chance.
pub(crate) fn random_port() -> u16 {
    rand::random_range(10_240..32_768)
}
