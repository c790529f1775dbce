//! Well-enveloped, well-signed tokens with wrong sets of claims.

use super::{
    bad::Case,
    forge::{Entry, Forge, bytes, head, int, map, text},
};

pub(crate) const EXP: usize = 0;
pub(crate) const NBF: usize = 1;
pub(crate) const CTI: usize = 2;
pub(crate) const PERFORMANCE: usize = 3;
pub(crate) const CATEGORY: usize = 4;
pub(crate) const REVISION: usize = 5;

/// The good claims, each entry within reach.
pub(crate) fn entries() -> Vec<Entry> {
    vec![
        (int(4), int(1_800_020_000)),
        (int(5), int(1_800_000_000)),
        (int(7), bytes(&[0x11; 16])),
        (int(-65_537), bytes(&[0x22; 16])),
        (int(-65_538), text("A")),
        (int(-65_539), int(1)),
    ]
}

/// Which claims there are, and in which order.
pub(crate) fn map_cases(good: &Forge) -> Vec<Case<Forge>> {
    let with = |at: usize, entry: Entry| {
        let mut entries = entries();
        entries.insert(at, entry);
        good.payload(map(&entries))
    };
    let without = |claim: usize| {
        let mut entries = entries();
        entries.remove(claim);
        good.payload(map(&entries))
    };
    let mut swapped = entries();
    swapped.swap(EXP, NBF);
    let mut long_label = entries();
    long_label[EXP].0 = vec![0x18, 0x04];
    let later = int(1_800_030_000);
    vec![
        (
            "a claim twice",
            "claims_duplicate",
            with(6, entries()[REVISION].clone()),
        ),
        (
            "a claim twice with other values",
            "claims_duplicate",
            with(1, (int(4), later.clone())),
        ),
        (
            "a claim again, label in long",
            "claims_duplicate",
            with(1, (vec![0x18, 0x04], later)),
        ),
        ("an issuer", "claims_unknown", with(0, (int(1), text("X")))),
        (
            "an unknown private claim",
            "claims_unknown",
            with(6, (int(-65_540), int(0))),
        ),
        (
            "a claim with a text label",
            "claims_unknown",
            with(6, (text("vip"), int(1))),
        ),
        (
            "a label of 65 bits",
            "claims_unknown",
            with(6, (vec![0x3b; 9], int(1))),
        ),
        ("no expiry", "claims_missing", without(EXP)),
        ("no begin", "claims_missing", without(NBF)),
        ("no ticket id", "claims_missing", without(CTI)),
        ("no performance id", "claims_missing", without(PERFORMANCE)),
        ("no category", "claims_missing", without(CATEGORY)),
        ("no revision", "claims_missing", without(REVISION)),
        (
            "claims out of order",
            "claims_not_canonical",
            good.payload(map(&swapped)),
        ),
        (
            "a label in long",
            "claims_not_canonical",
            good.payload(map(&long_label)),
        ),
    ]
}

/// The payload as a whole.
pub(crate) fn payload_cases(good: &Forge) -> Vec<Case<Forge>> {
    let encoded = map(&entries());
    let tagged = [&[0xd8, 0x3d], encoded.as_slice()].concat();
    let and_more = [encoded.as_slice(), &[0x00]].concat();
    let cut = encoded[..encoded.len() - 1].to_vec();
    let indefinite = [&[0xbf], &encoded[1..], &[0xff]].concat();
    let long_length = [&[0xb8, 0x06], &encoded[1..]].concat();
    let endless = [&[0xbb], [0xff; 8].as_slice(), &encoded[1..]].concat();
    vec![
        ("no claims", "claims_missing", good.payload(vec![0xa0])),
        ("empty payload", "claims_cbor", good.payload(vec![])),
        (
            "claims in an array",
            "claims_shape",
            good.payload(head(4, 0)),
        ),
        ("claims tagged", "claims_shape", good.payload(tagged)),
        (
            "bytes after the claims",
            "claims_trailing_bytes",
            good.payload(and_more),
        ),
        ("claims cut short", "claims_cbor", good.payload(cut)),
        (
            "map of indefinite length",
            "claims_not_canonical",
            good.payload(indefinite),
        ),
        (
            "map length in two bytes",
            "claims_not_canonical",
            good.payload(long_length),
        ),
        (
            "map of 2^64 - 1 claims",
            "claims_cbor",
            good.payload(endless),
        ),
        (
            "arrays nested 80 deep",
            "claims_cbor",
            good.payload(vec![0x81; 80]),
        ),
    ]
}
