//! Well-formed tokens that must not be accepted.

use ed25519_dalek::{Signer as _, SigningKey};
use eventify_protocol::token::Claims;

use super::{
    bad::{Case, good_claims, ticket_by},
    forge::Forge,
    good::hand_written_claims,
    scalar,
    world::{ACTIVE, RETIRED, STRANGER, SYNC, WITHDRAWN},
};

/// Signatures that are not the named key's.
pub(crate) fn cases(good: &Forge) -> Vec<Case<Forge>> {
    [
        (
            "a bit of R flipped",
            good.spoil(|signature, _, _| signature[0] ^= 1),
        ),
        (
            "a bit of S flipped",
            good.spoil(|signature, _, _| signature[32] ^= 1),
        ),
        (
            "the signature of other claims",
            good.spoil(over_other_claims),
        ),
        (
            "signature of zeros",
            good.spoil(|signature, _, _| signature.fill(0)),
        ),
        (
            "S in a non-canonical form (S + L)",
            good.spoil(|s, _, _| not_canonical_s(s)),
        ),
        ("R of small order, S made to fit", good.spoil(small_order_r)),
        (
            "R of small order and not canonical, S made to fit",
            good.spoil(not_canonical_r),
        ),
        (
            "signed by another key of the set",
            good.signed_by(&RETIRED.seed),
        ),
        ("signed with external data", good.external_aad(b"eventify")),
        ("signed as COSE_Sign", good.context("Signature")),
        (
            "signed as a countersignature",
            good.context("CounterSignature"),
        ),
    ]
    .map(|(name, forged)| (name, "bad_signature", forged))
    .to_vec()
}

/// Good signatures by keys that may not vouch for the ticket.
pub(crate) fn key_cases(good: &Forge) -> Vec<Case<Forge>> {
    let lasting = |not_before: i64, expiry: i64| {
        good.payload(hand_written_claims(&Claims {
            not_before,
            expiry,
            ..good_claims()
        }))
    };
    let too_early = lasting(1, ACTIVE.window.not_before - 1);
    let too_late = lasting(ACTIVE.window.not_after - 10, ACTIVE.window.not_after + 1);
    vec![
        (
            "a key that is in no set",
            "key_unknown",
            ticket_by(&STRANGER),
        ),
        ("a withdrawn key", "key_withdrawn", ticket_by(&WITHDRAWN)),
        ("a sync key", "key_wrong_use", ticket_by(&SYNC)),
        (
            "expires before its key was made",
            "key_outside_window",
            too_early,
        ),
        (
            "expires after its key may vouch for",
            "key_outside_window",
            too_late,
        ),
    ]
}

fn over_other_claims(signature: &mut Vec<u8>, message: &[u8], key: &SigningKey) {
    let mut other = message.to_vec();
    *other.last_mut().unwrap() ^= 1;
    *signature = key.sign(&other).to_vec();
}

fn not_canonical_s(signature: &mut [u8]) {
    let plus = scalar::plus_order(&signature[32..]);
    signature[32..].copy_from_slice(&plus);
}

/// Valid by the group equation alone: R is the neutral element and S = k·a.
fn small_order_r(signature: &mut Vec<u8>, message: &[u8], key: &SigningKey) {
    let private = key.to_scalar().to_bytes();
    let s = scalar::s_for_neutral_r(&private, key.verifying_key().as_bytes(), message);
    *signature = [scalar::NEUTRAL, s].concat();
}

/// The same with y = p + 1 for the neutral element's y = 1.
fn not_canonical_r(signature: &mut Vec<u8>, message: &[u8], key: &SigningKey) {
    small_order_r(signature, message, key);
    signature[..32].fill(0xff);
    (signature[0], signature[31]) = (0xee, 0x7f);
}
