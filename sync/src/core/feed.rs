//! New entries of a venue's feed. The caller holds the feed's lock until commit (`ADMISSION` 5.1).

use std::collections::BTreeMap;

use eventify_protocol::sync::{Digest, DigestKey, FeedEntry, Position, Subject};

use crate::digest;

/// Most entries in one batch (`ADMISSION` 5.1).
pub const MAX_BATCH_ENTRIES: usize = 256;

/// The end of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedHead {
    /// Its position.
    pub position: Position,
    /// The digest of all rows there.
    pub digest: Digest,
}

/// A subject's newest entry, as far as it is needed to replace it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    /// Its version; kept after a deletion as well.
    pub version: u64,
    /// Its bytes ([`FeedEntry::to_bytes`]); none after a deletion.
    pub row: Option<Vec<u8>>,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Entries with their positions and the digest after each, in order.
    pub entries: Vec<(FeedHead, FeedEntry)>,
    /// How many were dropped because a newer or the same version is held (`ADMISSION` 5.2).
    pub dropped: usize,
    /// The new end.
    pub head: FeedHead,
}

/// Appends entries to a feed. `held` has the newest row of each of their subjects, where there is
/// one.
#[must_use]
pub fn append(
    head: FeedHead,
    key: &DigestKey,
    mut held: BTreeMap<Subject, HeldRow>,
    entries: Vec<FeedEntry>,
) -> Written {
    let mut written = Written {
        entries: Vec::with_capacity(entries.len()),
        dropped: 0,
        head,
    };
    for entry in entries {
        let old = held.get(&entry.subject);
        if old.is_some_and(|old| old.version >= entry.version) {
            written.dropped += 1;
            continue;
        }
        let old_row = old.and_then(|old| old.row.as_deref());
        written.head = FeedHead {
            position: written.head.position.next(),
            digest: digest::replace(written.head.digest, key, old_row, &entry),
        };
        let row = entry.value.is_some().then(|| entry.to_bytes());
        held.insert(
            entry.subject,
            HeldRow {
                version: entry.version,
                row,
            },
        );
        written.entries.push((written.head, entry));
    }
    written
}
