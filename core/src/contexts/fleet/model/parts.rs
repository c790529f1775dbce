//! Encoded entries cut into messages and chunks of a size that the wire can take.

/// Largest sum of entries in a `Delta` or `Chunk`, in bytes; the envelope's limit is well above.
pub(crate) const MAX_PART_BYTES: usize = 48 * 1024;

/// A replica that is further behind than this gets a snapshot instead of the entries.
pub(crate) const MAX_CATCH_UP: u64 = 10_000;

/// Cuts a sequence of encoded entries into parts of at most `limit` bytes. Entries stay whole; one
/// that is larger than the limit is a part of its own.
pub(crate) fn parts<E: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = E>,
    limit: usize,
) -> Vec<Vec<E>> {
    let mut parts: Vec<Vec<E>> = Vec::new();
    let mut size = 0;
    for entry in entries {
        let length = entry.as_ref().len();
        match parts.last_mut() {
            Some(part) if size + length <= limit => part.push(entry),
            Some(_) | None => {
                parts.push(vec![entry]);
                size = 0;
            }
        }
        size += length;
    }
    parts
}

/// The CBOR array of encoded entries: the bytes of a `Chunk`.
pub(crate) fn array_of<E: AsRef<[u8]>>(entries: &[E]) -> Vec<u8> {
    let mut encoder = minicbor::Encoder::new(Vec::new());
    let length = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    encoder.array(length).expect("writing to a Vec can't fail");
    let mut bytes = encoder.into_writer();
    for entry in entries {
        bytes.extend_from_slice(entry.as_ref());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use eventify_protocol::ids::GateId;
    use eventify_protocol::sync::{FeedEntry, GateEntry, Subject, Value};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn parts_hold_everything_in_order_within_the_limit(
            lengths in prop::collection::vec(1usize..50, 0..80),
        ) {
            let entries: Vec<Vec<u8>> = lengths.iter().map(|length| vec![0; *length]).collect();
            let parts = parts(&entries, 100);
            for part in &parts {
                let size: usize = part.iter().map(|entry| entry.len()).sum();
                prop_assert!(!part.is_empty() && size <= 100);
            }
            prop_assert_eq!(parts.into_iter().flatten().cloned().collect::<Vec<_>>(), entries);
        }
    }

    #[test]
    fn a_chunk_is_the_array_of_its_entries() {
        let gate = |id: u128, name: &str| FeedEntry {
            subject: Subject::Gate(GateId(Uuid::from_u128(id))),
            version: 1,
            value: Some(Value::Gate(GateEntry {
                name: name.to_owned(),
                performances: Vec::new(),
                categories: Vec::new(),
            })),
        };
        let entries = [gate(1, "North"), gate(2, "South")];
        let encoded: Vec<_> = entries.iter().map(FeedEntry::to_bytes).collect();
        let read: Vec<FeedEntry> = minicbor::decode(&array_of(&encoded)).unwrap();
        assert_eq!(read, entries);
    }
}
