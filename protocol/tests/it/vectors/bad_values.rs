//! Well-enveloped, well-signed tokens with one wrong value among the claims.

use super::{
    bad::Case,
    bad_claims::{CATEGORY, CTI, EXP, NBF, PERFORMANCE, REVISION, entries},
    forge::{Forge, bytes, int, map, text},
};

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
