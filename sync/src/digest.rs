//! The digest of a replica: the sum modulo 2²⁵⁶ of SHA-256 over the venue's key and a row's
//! canonical bytes, over all rows (`ADMISSION` 5.5).
//!
//! It does not depend on the order of the rows, and a changed row costs one subtraction and one
//! addition. Without the key, nobody who can write rows can search for rows that cancel each other
//! out.
//!
//! A row is a subject's newest [`FeedEntry`]; a subject whose newest entry deletes it has none.

use eventify_protocol::{
    hash::Hash32,
    sync::{Digest, DigestKey, FeedEntry},
};
use sha2::{Digest as _, Sha256};

/// The digest of no rows.
pub const EMPTY: Digest = Digest(Hash32::ZERO);

/// What is added to the digest for a row.
#[must_use]
pub fn row_hash(key: &DigestKey, row: &[u8]) -> Hash32 {
    Hash32(
        Sha256::new()
            .chain_update(key.0.0)
            .chain_update(row)
            .finalize()
            .into(),
    )
}

#[must_use]
pub fn add(digest: Digest, row: Hash32) -> Digest {
    let mut sum = digest.0.0;
    let mut carry = 0u16;
    for (byte, addend) in sum.iter_mut().zip(row.0).rev() {
        let [high, low] = (u16::from(*byte) + u16::from(addend) + carry).to_be_bytes();
        *byte = low;
        carry = u16::from(high);
    }
    Digest(Hash32(sum))
}

#[must_use]
pub fn remove(digest: Digest, row: Hash32) -> Digest {
    let mut difference = digest.0.0;
    let mut borrow = false;
    for (byte, subtrahend) in difference.iter_mut().zip(row.0).rev() {
        let (once, first) = byte.overflowing_sub(subtrahend);
        let (twice, second) = once.overflowing_sub(u8::from(borrow));
        *byte = twice;
        borrow = first || second;
    }
    Digest(Hash32(difference))
}

/// The digest after a new entry of a subject: `old` are the bytes of the subject's row, if it had one.
#[must_use]
pub fn replace(digest: Digest, key: &DigestKey, old: Option<&[u8]>, new: &FeedEntry) -> Digest {
    let without = old.map_or(digest, |old| remove(digest, row_hash(key, old)));
    match new.value {
        Some(_) => add(without, row_hash(key, &new.to_bytes())),
        None => without,
    }
}

/// The digest of all rows.
#[must_use]
pub fn of_rows<'r>(key: &DigestKey, rows: impl IntoIterator<Item = &'r [u8]>) -> Digest {
    rows.into_iter()
        .fold(EMPTY, |digest, row| add(digest, row_hash(key, row)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use eventify_protocol::{
        ids::GateId,
        sync::{GateEntry, Subject, Value},
    };
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const KEY: DigestKey = DigestKey(Hash32([7; 32]));

    fn entry(gate: u8, version: u64, name: Option<String>) -> FeedEntry {
        let value = name.map(|name| {
            Value::Gate(GateEntry {
                name,
                performances: vec![],
                categories: vec![],
            })
        });
        let subject = Subject::Gate(GateId(Uuid::from_u128(u128::from(gate))));
        FeedEntry {
            subject,
            version,
            value,
        }
    }

    fn rows() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)
    }

    proptest! {
        #[test]
        fn order_does_not_matter(rows in rows(), swaps in prop::collection::vec(any::<(usize, usize)>(), 0..20)) {
            let mut shuffled = rows.clone();
            if !rows.is_empty() {
                for (a, b) in swaps {
                    shuffled.swap(a % rows.len(), b % rows.len());
                }
            }
            let digest = |rows: &[Vec<u8>]| of_rows(&KEY, rows.iter().map(Vec::as_slice));
            prop_assert_eq!(digest(&rows), digest(&shuffled));
        }

        #[test]
        fn what_was_added_can_be_taken_away(start: [u8; 32], row: [u8; 32]) {
            let start = Digest(Hash32(start));
            prop_assert_eq!(remove(add(start, Hash32(row)), Hash32(row)), start);
            prop_assert_eq!(add(remove(start, Hash32(row)), Hash32(row)), start);
        }

        #[test]
        fn incremental_is_recomputed(
            changes in prop::collection::vec((0u8..5, prop::option::of("[a-z]{0,5}")), 0..60),
        ) {
            let mut held: BTreeMap<Subject, Vec<u8>> = BTreeMap::new();
            let mut digest = EMPTY;
            for (version, (gate, name)) in (1..).zip(changes) {
                let new = entry(gate, version, name);
                let old = held.get(&new.subject).map(Vec::as_slice);
                digest = replace(digest, &KEY, old, &new);
                match new.value {
                    Some(_) => held.insert(new.subject, new.to_bytes()),
                    None => held.remove(&new.subject),
                };
                prop_assert_eq!(digest, of_rows(&KEY, held.values().map(Vec::as_slice)));
            }
        }
    }

    #[test]
    fn it_is_a_sum_of_256_bits() {
        let one = Hash32(std::array::from_fn(|i| u8::from(i == 31)));
        assert_eq!(remove(EMPTY, one), Digest(Hash32([0xff; 32])));
        assert_eq!(add(Digest(Hash32([0xff; 32])), one), EMPTY);
        let two = add(add(EMPTY, one), one);
        assert_eq!(two.0.0[31], 2);
    }

    #[test]
    fn the_key_matters() {
        let other = DigestKey(Hash32([8; 32]));
        assert_ne!(row_hash(&KEY, b"row"), row_hash(&other, b"row"));
    }
}
