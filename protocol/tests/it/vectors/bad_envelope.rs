//! Tokens whose `COSE_Sign1` breaks one rule outside of its protected header.

use super::{
    bad::{Case, good_claims},
    forge::{Forge, bytes, int, map, text},
    good::hand_written_claims,
};

/// Tag and array.
pub(crate) fn shape_cases(good: &Forge) -> Vec<Case<Forge>> {
    let indefinite = good.array(&[0x9f]).trailing(&[0xff]);
    vec![
        (
            "a byte after the end",
            "cose_trailing_bytes",
            good.trailing(&[0x00]),
        ),
        (
            "another item after the end",
            "cose_trailing_bytes",
            good.trailing(&[0xa0]),
        ),
        ("no tag", "cose_tag", good.tag(&[])),
        ("tag of COSE_Mac0", "cose_tag", good.tag(&[0xd1])),
        ("tag of COSE_Sign", "cose_tag", good.tag(&[0xd8, 0x62])),
        (
            "CWT tag around the COSE tag",
            "cose_tag",
            good.tag(&[0xd8, 0x3d, 0xd2]),
        ),
        ("COSE tag twice", "cose_shape", good.tag(&[0xd2, 0xd2])),
        (
            "tag in two bytes",
            "cose_not_canonical",
            good.tag(&[0xd8, 0x12]),
        ),
        (
            "array of five",
            "cose_shape",
            good.array(&[0x85]).trailing(&[0xf6]),
        ),
        (
            "array longer than the bytes",
            "cose_cbor",
            good.array(&[0x9b]),
        ),
        (
            "array length in two bytes",
            "cose_not_canonical",
            good.array(&[0x98, 0x04]),
        ),
        (
            "array of indefinite length",
            "cose_not_canonical",
            indefinite,
        ),
        (
            "reserved additional information",
            "cose_cbor",
            good.array(&[0x9c]),
        ),
    ]
}

/// Unprotected header, payload and signature.
pub(crate) fn part_cases(good: &Forge) -> Vec<Case<Forge>> {
    let not_empty = map(&[(int(4), bytes(b"abcdefgh"))]);
    let claims = hand_written_claims(&good_claims());
    let in_chunks = [&[0x5f], bytes(&claims).as_slice(), &[0xff]].concat();
    let detached = good.payload_item(vec![0xf6]);
    vec![
        (
            "unprotected header not empty",
            "cose_unprotected_header",
            good.unprotected(not_empty),
        ),
        (
            "unprotected header is no map",
            "cose_shape",
            good.unprotected(vec![0x80]),
        ),
        (
            "unprotected map of indefinite length",
            "cose_not_canonical",
            good.unprotected(vec![0xbf, 0xff]),
        ),
        ("payload detached", "cose_payload", detached),
        (
            "payload as text",
            "cose_payload",
            good.payload_item(text("claims")),
        ),
        (
            "payload in chunks",
            "cose_not_canonical",
            good.payload_item(in_chunks),
        ),
        (
            "signature of 63 bytes",
            "cose_signature_length",
            good.spoil(|signature, _, _| signature.truncate(63)),
        ),
        (
            "signature of 65 bytes",
            "cose_signature_length",
            good.spoil(|signature, _, _| signature.push(0)),
        ),
        (
            "no signature",
            "cose_signature_length",
            good.spoil(|signature, _, _| signature.clear()),
        ),
    ]
}
