//! Well-enveloped, well-signed tokens whose claims break one rule.

use crate::{
    bad::Case,
    forge::{Entry, Forge, bytes, head, int, map, text},
};

const EXP: usize = 0;
const NBF: usize = 1;
const CTI: usize = 2;
const PERFORMANCE: usize = 3;
const CATEGORY: usize = 4;
const REVISION: usize = 5;

/// The good claims, each entry within reach.
fn entries() -> Vec<Entry> {
    vec![
        (int(4), int(1_800_020_000)),
        (int(5), int(1_800_000_000)),
        (int(7), bytes(&[0x11; 16])),
        (int(-65_537), bytes(&[0x22; 16])),
        (int(-65_538), text("A")),
        (int(-65_539), int(1)),
    ]
}

/// One claim replaced by another value.
fn put(good: &Forge, claim: usize, value: Vec<u8>) -> Forge {
    let mut entries = entries();
    entries[claim].1 = value;
    good.payload(map(&entries))
}

/// Values of `exp` and `nbf`.
pub(crate) fn time_cases(good: &Forge) -> Vec<Case<Forge>> {
    let exp = |value: Vec<u8>| put(good, EXP, value);
    let nbf = |value: Vec<u8>| put(good, NBF, value);
    let as_bignum = [vec![0xc2], bytes(&1_800_020_000_u32.to_be_bytes())].concat();
    let tagged = [vec![0xc1], int(1_800_020_000)].concat();
    let wide = [&[0x1b], 1_800_020_000_u64.to_be_bytes().as_slice()].concat();
    vec![
        ("expiry as text", "claims_type", exp(text("2027"))),
        (
            "expiry as float",
            "claims_type",
            exp(vec![0xfa, 0x4e, 0xd6, 0x93, 0xa4]),
        ),
        ("expiry as bignum", "claims_not_canonical", exp(as_bignum)),
        ("expiry tagged as time", "claims_type", exp(tagged)),
        ("expiry null", "claims_type", exp(vec![0xf6])),
        ("expiry in 64 bits", "claims_not_canonical", exp(wide)),
        ("expiry beyond 32 bits", "claims_range", exp(int(1 << 32))),
        ("expiry negative", "claims_range", exp(int(-1))),
        (
            "expiry at the begin",
            "claims_never_valid",
            exp(int(1_800_000_000)),
        ),
        (
            "expiry before the begin",
            "claims_never_valid",
            exp(int(1_799_999_999)),
        ),
        ("begin beyond 32 bits", "claims_range", nbf(int(1 << 32))),
        ("begin negative", "claims_range", nbf(int(-1))),
        ("begin as bool", "claims_type", nbf(vec![0xf4])),
    ]
}

/// Values of `cti` and the performance.
pub(crate) fn id_cases(good: &Forge) -> Vec<Case<Forge>> {
    let cti = |value: Vec<u8>| put(good, CTI, value);
    let performance = |value: Vec<u8>| put(good, PERFORMANCE, value);
    let half = bytes(&[0x11; 8]);
    let in_chunks = [&[0x5f], half.as_slice(), &half, &[0xff]].concat();
    let tagged = [vec![0xd8, 0x25], bytes(&[0x22; 16])].concat();
    vec![
        (
            "ticket id of 15 bytes",
            "claims_range",
            cti(bytes(&[0x11; 15])),
        ),
        (
            "ticket id of 17 bytes",
            "claims_range",
            cti(bytes(&[0x11; 17])),
        ),
        (
            "ticket id as text",
            "claims_type",
            cti(text("0123456789abcdef")),
        ),
        (
            "ticket id in chunks",
            "claims_not_canonical",
            cti(in_chunks),
        ),
        (
            "performance id tagged as UUID",
            "claims_type",
            performance(tagged),
        ),
        (
            "performance id empty",
            "claims_range",
            performance(bytes(&[])),
        ),
    ]
}

/// Values of category and revision.
pub(crate) fn category_and_revision_cases(good: &Forge) -> Vec<Case<Forge>> {
    let category = |value: Vec<u8>| put(good, CATEGORY, value);
    let revision = |value: Vec<u8>| put(good, REVISION, value);
    vec![
        ("category empty", "claims_category", category(text(""))),
        (
            "category of 17 characters",
            "claims_category",
            category(text("ABCDEFGHIJKLMNOPQ")),
        ),
        (
            "category in lower case",
            "claims_category",
            category(text("a")),
        ),
        (
            "category with a space",
            "claims_category",
            category(text("A B")),
        ),
        (
            "category with a zero byte",
            "claims_category",
            category(text("A\0")),
        ),
        (
            "category outside of ASCII",
            "claims_category",
            category(text("\u{c9}")),
        ),
        (
            "category not UTF-8",
            "claims_cbor",
            category(vec![0x61, 0xff]),
        ),
        ("category as bytes", "claims_type", category(bytes(b"A"))),
        (
            "category with a long length",
            "claims_not_canonical",
            category(vec![0x78, 0x01, b'A']),
        ),
        ("revision negative", "claims_range", revision(int(-1))),
        (
            "revision beyond 32 bits",
            "claims_range",
            revision(int(1 << 32)),
        ),
        (
            "revision in two bytes",
            "claims_not_canonical",
            revision(vec![0x18, 0x01]),
        ),
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
