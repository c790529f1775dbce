//! The keys that fleet signs sync points with and gives to nodes. Ticketing's files, read at the
//! start.

use crate::contexts::fleet::App;

/// Version and bytes of the signed key set in force; none in a process without keys.
pub(crate) fn key_set(app: &App) -> Option<(u64, Vec<u8>)> {
    let ring = app.keys.ring().ok()?;
    Some((ring.set.version(), ring.signed.as_bytes().to_vec()))
}
