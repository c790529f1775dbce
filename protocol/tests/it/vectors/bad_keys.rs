//! Keys, key sets and sync signatures that must be refused.

use eventify_protocol::keys::{KeyEntry, PrivateKey, RootKey};

use super::{
    bad::{Case, ticket_by},
    forge::{Forge, bytes, head, int, map, protected, text},
    good::{SYNC_AAD, SYNC_PAYLOAD},
    scalar,
    world::{self, ACTIVE, ROOT_SEED, STRANGER, SYNC, SYNC_RETIRED, TestKey},
};

/// The points of small order, a key moved by one of them, and encodings that are not canonical: y
/// at or above p = 2²⁵⁵ − 19, or x = 0 with the sign bit set.
pub(crate) fn public_key_cases() -> Vec<Case<String>> {
    const ORDER_8: [&str; 4] = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    let zeros = "00".repeat(30);
    let ones = "ff".repeat(30);
    vec![
        ("order 1", "key_weak", format!("01{zeros}00")),
        ("order 2", "key_weak", format!("ec{ones}7f")),
        ("order 4", "key_weak", format!("00{zeros}00")),
        ("order 4, other sign", "key_weak", format!("00{zeros}80")),
        ("order 8, first y", "key_weak", ORDER_8[0].to_owned()),
        (
            "order 8, first y, other sign",
            "key_weak",
            ORDER_8[1].to_owned(),
        ),
        ("order 8, second y", "key_weak", ORDER_8[2].to_owned()),
        (
            "order 8, second y, other sign",
            "key_weak",
            ORDER_8[3].to_owned(),
        ),
        (
            "of mixed order",
            "key_weak",
            hex::encode(plus_order_2(&ACTIVE)),
        ),
        ("y = p", "key_not_a_point", format!("ed{ones}7f")),
        ("y = p + 1", "key_not_a_point", format!("ee{ones}7f")),
        (
            "y = 1 with x = -0",
            "key_not_a_point",
            format!("01{zeros}80"),
        ),
        (
            "not on the curve",
            "key_not_a_point",
            format!("02{zeros}00"),
        ),
        ("31 bytes", "key_length", format!("01{zeros}")),
        ("33 bytes", "key_length", format!("01{zeros}0000")),
    ]
}

/// The key plus the point of order 2: (x, y) + (0, −1) = (−x, −y).
fn plus_order_2(key: &TestKey) -> [u8; 32] {
    const P: [u8; 32] = {
        let mut p = [0xff; 32];
        p[0] = 0xed;
        p[31] = 0x7f;
        p
    };
    let mut moved = *key.private().public().as_bytes();
    let sign = moved[31] & 0x80;
    moved[31] &= 0x7f;
    let mut borrow = false;
    for (digit, of_p) in moved.iter_mut().zip(P) {
        let (once, first) = of_p.overflowing_sub(*digit);
        let (twice, second) = once.overflowing_sub(borrow.into());
        *digit = twice;
        borrow = first || second;
    }
    moved[31] |= sign ^ 0x80;
    moved
}

/// A signed key set, put together by hand.
fn signed(payload: Vec<u8>) -> Forge {
    let kid = world::root().public().kid();
    let header = map(&[
        (int(1), int(-8)),
        (int(3), text("application/vnd.eventify.key-set+cbor")),
        (int(4), bytes(kid.as_bytes())),
    ]);
    Forge::new(&ROOT_SEED, header, payload)
}

fn set_of(entries: &[KeyEntry]) -> Vec<u8> {
    let mut payload = [head(4, 2), int(3), head(4, entries.len() as u64)].concat();
    for entry in entries {
        payload.extend(minicbor::to_vec(entry).unwrap());
    }
    payload
}

/// Signed key sets.
pub(crate) fn key_set_cases() -> Vec<Case<Vec<u8>>> {
    let entry = ACTIVE.entry();
    let good = signed(set_of(&[entry]));
    let stranger = RootKey::new(PrivateKey::from_seed(&[0xdd; 32])).sign(&world::key_set());
    let root_name = protected(world::root().public().kid().as_bytes());
    let nested = good.payload_item(vec![0x81; 10_000]);
    vec![
        ("another root", "key_unknown", stranger.as_bytes().to_vec()),
        (
            "signed in the root's name",
            "bad_signature",
            good.signed_by(&ACTIVE.seed).cose(),
        ),
        (
            "signed with external data",
            "bad_signature",
            good.external_aad(b"x").cose(),
        ),
        (
            "a ticket by the root",
            "cose_content_type",
            good.protected(root_name).cose(),
        ),
        (
            "a byte after the end",
            "cose_trailing_bytes",
            good.trailing(&[0]).cose(),
        ),
        (
            "too long to be looked at",
            "cose_too_long",
            good.trailing(&[0; 16 * 1024]).cose(),
        ),
        ("arrays nested without end", "cose_cbor", nested.cose()),
    ]
    .into_iter()
    .chain(impossible_sets(entry).map(|(name, set)| (name, "key_set_payload", signed(set).cose())))
    .collect()
}

/// What the root should never have signed.
fn impossible_sets(entry: KeyEntry) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let good = set_of(&[entry]);
    let mut backwards = entry;
    backwards.window.not_after = backwards.window.not_before - 1;
    let key = |seed| PrivateKey::from_seed(&[seed; 32]).public();
    let mut many: Vec<KeyEntry> = (0..65)
        .map(|seed| KeyEntry {
            key: key(seed),
            ..entry
        })
        .collect();
    many.sort_by_key(|entry| entry.key.kid());
    let mut unordered = [entry, SYNC.entry()];
    unordered.sort_by_key(|entry| std::cmp::Reverse(entry.key.kid()));
    let mut weak = good.clone();
    let at = weak
        .windows(32)
        .position(|bytes| bytes == entry.key.as_bytes())
        .unwrap();
    weak[at..at + 32].copy_from_slice(&scalar::NEUTRAL);
    let mut long_version = good.clone();
    long_version.splice(1..2, [0x18, 0x03]);
    [
        ("a key twice", set_of(&[entry, entry])),
        ("65 keys", set_of(&many)),
        ("keys out of order", set_of(&unordered)),
        ("a window that ends before it begins", set_of(&[backwards])),
        ("a key of small order", weak),
        ("version in two bytes", long_version),
        ("a byte after the set", [good, vec![0]].concat()),
        ("payload is no set", text("keys")),
    ]
    .into_iter()
}

/// Objects that must not pass as a sync point, with the external data of the good one.
pub(crate) fn sync_cases(ticket: &Forge) -> Vec<Case<Vec<u8>>> {
    let by = |key: &TestKey| world::sync_signer(key).sign_cose(SYNC_PAYLOAD, SYNC_AAD);
    let elsewhere = world::sync_signer(&SYNC).sign_cose(SYNC_PAYLOAD, b"another context");
    let key_set = world::root().sign(&world::key_set()).as_bytes().to_vec();
    vec![
        ("a ticket", "cose_content_type", ticket.cose()),
        (
            "a ticket by the sync key",
            "cose_content_type",
            ticket_by(&SYNC).cose(),
        ),
        ("a key set", "cose_content_type", key_set),
        ("a ticket key", "key_wrong_use", by(&ACTIVE)),
        ("a key that is in no set", "key_unknown", by(&STRANGER)),
        ("a retired sync key", "key_retired", by(&SYNC_RETIRED)),
        ("other external data", "bad_signature", elsewhere),
    ]
}
