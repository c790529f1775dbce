//! New entries of a venue's feed. The caller holds the feed's lock until commit (`ADMISSION` 5.1).

use std::collections::BTreeMap;

use eventify_protocol::sync::{Digest, DigestKey, FeedEntry, Position, Subject};

use crate::digest;

/// Most entries in one batch (`ADMISSION` 5.1).
pub const MAX_BATCH_ENTRIES: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedHead {
    pub position: Position,
    /// Of all rows at this position.
    pub digest: Digest,
}

/// A subject's newest entry, as needed to replace it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestRow {
    /// Stays after a deletion.
    pub version: u64,
    /// Its bytes ([`FeedEntry::to_bytes`]); none after a deletion.
    pub row: Option<Vec<u8>>,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// With position and digest after each, in order.
    pub entries: Vec<(FeedHead, FeedEntry)>,
    /// Entries whose subject has the same or a newer version already (`ADMISSION` 5.2).
    pub dropped: usize,
    pub head: FeedHead,
}

/// Appends entries to a feed. `newest` has the newest row of each of their subjects, if there is one.
#[must_use]
pub fn append(
    head: FeedHead,
    key: &DigestKey,
    mut newest: BTreeMap<Subject, NewestRow>,
    entries: Vec<FeedEntry>,
) -> Written {
    let mut written = Written {
        entries: Vec::with_capacity(entries.len()),
        dropped: 0,
        head,
    };
    for entry in entries {
        let old = newest.get(&entry.subject);
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
        newest.insert(
            entry.subject,
            NewestRow {
                version: entry.version,
                row,
            },
        );
        written.entries.push((written.head, entry));
    }
    written
}
