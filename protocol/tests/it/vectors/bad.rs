//! What must be refused, and by which rule. Each input breaks one rule; everything else about it,
//! its signature too, is right.

use eventify_protocol::{
    ids::{PerformanceId, TicketId},
    token::Claims,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    bad_claims, bad_envelope, bad_headers, bad_keys, bad_signature, bad_text, bad_values,
    forge::{self, Forge},
    good::hand_written_claims,
    world::{ACTIVE, TestKey},
};

/// What is asked to take the input.
#[derive(Clone, Copy)]
pub(crate) enum Stage {
    /// `Parsed::read`; the input is text.
    Read,
    /// `Parsed::verify` with the key set of `keys.json`; the input is text that can be read.
    Verify,
    /// `PublicKey::from_bytes`; the input is hexadecimal.
    PublicKey,
    /// `SignedKeySet::verify` with the root of `keys.json`; the input is hexadecimal.
    KeySet,
    /// `verify_cose` for sync points with the key set of `keys.json`; the input is hexadecimal.
    Sync,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "token-read",
            Self::Verify => "token-verify",
            Self::PublicKey => "public-key",
            Self::KeySet => "key-set",
            Self::Sync => "sync-signature",
        }
    }
}

/// Name, code of the rule that it breaks, input.
pub(crate) type Case<Input> = (&'static str, &'static str, Input);

/// The good ticket from which the bad ones are made.
pub(crate) fn good() -> Forge {
    ticket_by(&ACTIVE)
}

pub(crate) fn ticket_by(key: &TestKey) -> Forge {
    let protected = forge::protected(key.private().kid().as_bytes());
    Forge::new(&key.seed, protected, hand_written_claims(&good_claims()))
}

/// Short ones, so that additions stay below the length limit.
pub(crate) fn good_claims() -> Claims {
    Claims {
        ticket: TicketId(Uuid::from_bytes([0x11; 16])),
        performance: PerformanceId(Uuid::from_bytes([0x22; 16])),
        category: "A".parse().unwrap(),
        not_before: 1_800_000_000,
        expiry: 1_800_020_000,
        revision: 1,
    }
}

/// `refused.json`
pub(crate) fn refused() -> Value {
    let good = good();
    let mut refused = Vec::new();
    let mut put = |stage: Stage, (name, breaks, input): Case<String>| {
        let stage = stage.name();
        refused.push(json!({ "name": name, "stage": stage, "breaks": breaks, "input": input }));
    };
    for case in bad_text::prefix_cases(&good.text()) {
        put(Stage::Read, case);
    }
    for case in bad_text::body_cases(&good.text()) {
        put(Stage::Read, case);
    }
    let forged = [
        bad_envelope::shape_cases(&good),
        bad_envelope::part_cases(&good),
        bad_headers::algorithm_cases(&good),
        bad_headers::label_cases(&good),
        bad_headers::encoding_cases(&good),
        bad_values::time_cases(&good),
        bad_values::id_cases(&good),
        bad_values::category_and_revision_cases(&good),
        bad_claims::map_cases(&good),
        bad_claims::payload_cases(&good),
    ];
    for (name, breaks, forged) in forged.into_iter().flatten() {
        put(Stage::Read, (name, breaks, forged.text()));
    }
    for (name, breaks, forged) in [bad_signature::cases(&good), bad_signature::key_cases(&good)]
        .into_iter()
        .flatten()
    {
        put(Stage::Verify, (name, breaks, forged.text()));
    }
    for case in bad_keys::public_key_cases() {
        put(Stage::PublicKey, case);
    }
    for (name, breaks, cose) in bad_keys::key_set_cases() {
        put(Stage::KeySet, (name, breaks, hex::encode(cose)));
    }
    for (name, breaks, cose) in bad_keys::sync_cases(&good) {
        put(Stage::Sync, (name, breaks, hex::encode(cose)));
    }
    refused.into()
}
