//! Tokens whose protected header breaks one rule.

use super::{
    bad::Case,
    forge::{Entry, Forge, bytes, head, int, map, protected, text},
    world::ACTIVE,
};

fn alg() -> Entry {
    (int(1), int(-8))
}

fn kid() -> Entry {
    (int(4), bytes(ACTIVE.private().kid().as_bytes()))
}

/// The algorithm.
pub(crate) fn algorithm_cases(good: &Forge) -> Vec<Case<Forge>> {
    let with = |entries: &[Entry]| good.protected(map(entries));
    let algorithm = |value: Vec<u8>| with(&[(int(1), value), kid()]);
    vec![
        ("algorithm ES256", "cose_algorithm", algorithm(int(-7))),
        (
            "algorithm HMAC 256/256",
            "cose_algorithm",
            algorithm(int(5)),
        ),
        ("algorithm 0", "cose_algorithm", algorithm(int(0))),
        (
            "algorithm as text",
            "cose_algorithm",
            algorithm(text("EdDSA")),
        ),
        ("no algorithm", "cose_algorithm", with(&[kid()])),
        (
            "algorithm twice",
            "cose_duplicate_header",
            with(&[alg(), alg(), kid()]),
        ),
        (
            "two algorithms",
            "cose_duplicate_header",
            with(&[alg(), (int(1), int(-7)), kid()]),
        ),
        (
            "key id twice",
            "cose_duplicate_header",
            with(&[alg(), kid(), kid()]),
        ),
    ]
}

/// The key id, and what else a header may try to say.
pub(crate) fn label_cases(good: &Forge) -> Vec<Case<Forge>> {
    let with = |entries: &[Entry]| good.protected(map(entries));
    let named = |name: Vec<u8>| with(&[alg(), (int(4), name)]);
    let and = |entry: Entry| with(&[alg(), kid(), entry]);
    let crit = |label: i64| (int(2), [head(4, 1), int(label)].concat());
    let critical = with(&[alg(), crit(-70_000), kid(), (int(-70_000), int(1))]);
    let none_critical = with(&[alg(), (int(2), head(4, 0)), kid()]);
    let content_type = with(&[alg(), (int(3), int(61)), kid()]);
    vec![
        ("no key id", "cose_key_id", with(&[alg()])),
        ("empty key id", "cose_key_id", named(bytes(b""))),
        ("key id of 7 bytes", "cose_key_id", named(bytes(b"abcdefg"))),
        (
            "key id of 9 bytes",
            "cose_key_id",
            named(bytes(b"abcdefghi")),
        ),
        (
            "key id outside of base64url",
            "cose_key_id",
            named(bytes(&[0; 8])),
        ),
        ("key id as text", "cose_key_id", named(text("abcdefgh"))),
        ("unknown critical header", "cose_critical_header", critical),
        (
            "known header marked critical",
            "cose_critical_header",
            with(&[alg(), crit(1), kid()]),
        ),
        (
            "empty list of critical headers",
            "cose_critical_header",
            none_critical,
        ),
        (
            "unknown header",
            "cose_unknown_header",
            and((int(9), int(0))),
        ),
        (
            "unknown header of a text label",
            "cose_unknown_header",
            and((text("x"), int(0))),
        ),
        ("content type", "cose_unknown_header", content_type),
    ]
}

/// How the header says it.
pub(crate) fn encoding_cases(good: &Forge) -> Vec<Case<Forge>> {
    let kid = ACTIVE.private().kid();
    let in_order = protected(kid.as_bytes());
    let out_of_order = map(&[(int(4), bytes(kid.as_bytes())), (int(1), int(-8))]);
    let long_algorithm = [&[0xa2, 0x01, 0x38, 0x07, 0x04], &in_order[4..]].concat();
    let indefinite = [&[0xbf], &in_order[1..], &[0xff]].concat();
    let and_more = [in_order.as_slice(), &[0x00]].concat();
    vec![
        (
            "key id before algorithm",
            "cose_not_canonical",
            good.protected(out_of_order),
        ),
        (
            "algorithm in two bytes",
            "cose_not_canonical",
            good.protected(long_algorithm),
        ),
        (
            "protected map of indefinite length",
            "cose_not_canonical",
            good.protected(indefinite),
        ),
        (
            "protected header empty",
            "cose_protected_header",
            good.protected(vec![]),
        ),
        (
            "protected header of an empty map",
            "cose_algorithm",
            good.protected(vec![0xa0]),
        ),
        (
            "protected header is an array",
            "cose_protected_header",
            good.protected(vec![0x82, 0x01, 0x27]),
        ),
        (
            "protected header cut short",
            "cose_protected_header",
            good.protected(vec![0xa2, 0x01, 0x27]),
        ),
        (
            "bytes after the protected map",
            "cose_protected_header",
            good.protected(and_more),
        ),
        (
            "protected header in no byte string",
            "cose_protected_header",
            good.protected_bare(),
        ),
    ]
}
