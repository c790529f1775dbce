//! What holds for every ticket, every scan and every byte.

use eventify_protocol::{
    ids::{PerformanceId, TicketId},
    keys::{
        KeyEntry, KeySet, KeyStatus, KeyUse, PrivateKey, RootKey, SignedKeySet, Window, verify_cose,
    },
    qr,
    token::{CategoryCode, Claims, MAX_TOKEN_CHARS, PREFIX, Parsed, TicketSigner, Token},
};
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

const EVER: Window = Window {
    not_before: 0,
    not_after: i64::MAX,
};

const STATUSES: [KeyStatus; 3] = [KeyStatus::Active, KeyStatus::Retired, KeyStatus::Withdrawn];

fn signer() -> TicketSigner {
    TicketSigner::new(PrivateKey::from_seed(&[1; 32]), EVER)
}

fn key_set() -> KeySet {
    KeySet::new(1, vec![signer().entry()]).unwrap()
}

prop_compose! {
    fn any_claims()(
        ticket in any::<u128>(),
        performance in any::<u128>(),
        category in "[A-Z0-9._-]{1,16}",
        begin in 0..u32::MAX,
        length in 1..=u32::MAX,
        revision: u32,
    ) -> Claims {
        Claims {
            ticket: TicketId(Uuid::from_u128(ticket)),
            performance: PerformanceId(Uuid::from_u128(performance)),
            category: category.parse().unwrap(),
            not_before: begin.into(),
            expiry: begin.saturating_add(length).into(),
            revision,
        }
    }
}

fn sign(claims: &Claims) -> Token {
    signer().sign(claims).unwrap()
}

fn cose_of(token: &Token) -> Vec<u8> {
    base45::decode(&token.as_str()[PREFIX.len()..]).unwrap()
}

/// Whatever is accepted is the one text of what it says.
fn check_canonical(text: &str) -> Result<(), TestCaseError> {
    if let Ok(parsed) = Parsed::read(text) {
        let token = parsed.to_token();
        prop_assert_eq!(token.as_str(), text);
        prop_assert_eq!(token.hash(), parsed.hash());
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_signed_is_read_accepted_and_fits_the_code(claims in any_claims()) {
        let token = sign(&claims);
        prop_assert!(token.as_str().len() <= MAX_TOKEN_CHARS);
        prop_assert!(qr::version(token.as_str()).unwrap() <= qr::MAX_VERSION);
        let parsed = Parsed::read(token.as_str()).unwrap();
        prop_assert_eq!(parsed.to_token(), token.clone());
        let verified = parsed.verify(&key_set()).unwrap();
        prop_assert_eq!(*verified.claims(), claims);
        prop_assert!(verified.hash().matches(&token.hash()));
    }

    #[test]
    fn a_flipped_bit_is_refused(claims in any_claims(), at: prop::sample::Index, bit in 0..7_u8) {
        let mut text = sign(&claims).as_str().as_bytes().to_vec();
        let at = at.index(text.len());
        text[at] ^= 1 << bit;
        let text = String::from_utf8(text).unwrap();
        let accepted = Parsed::read(&text).is_ok_and(|parsed| parsed.verify(&key_set()).is_ok());
        prop_assert!(!accepted);
    }

    #[test]
    fn changed_bytes_are_refused(
        claims in any_claims(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let good = cose_of(&sign(&claims));
        let mut cose = good.clone();
        for (at, byte) in changes {
            cose[at.index(good.len())] = byte;
        }
        prop_assume!(cose != good);
        let text = format!("{PREFIX}{}", base45::encode(&cose));
        check_canonical(&text)?;
        let accepted = Parsed::read(&text).is_ok_and(|parsed| parsed.verify(&key_set()).is_ok());
        prop_assert!(!accepted);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,300}") {
        check_canonical(&text)?;
        check_canonical(&format!("{PREFIX}{text}"))?;
    }

    #[test]
    fn any_scanned_alphabet_is_read_without_panic(text in "[0-9A-Z $%*+./:-]{0,258}") {
        check_canonical(&format!("{PREFIX}{text}"))?;
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..172)) {
        check_canonical(&format!("{PREFIX}{}", base45::encode(&bytes)))?;
        let tagged = [&[0xd2, 0x84][..], &bytes].concat();
        check_canonical(&format!("{PREFIX}{}", base45::encode(tagged)))?;
    }

    #[test]
    fn any_payload_under_a_good_header_is_read_without_panic(payload in vec(any::<u8>(), 0..88)) {
        let kid = signer().kid();
        let header = [&[0xa2, 0x01, 0x27, 0x04, 0x48], kid.as_bytes().as_slice()].concat();
        let cose = [
            &[0xd2, 0x84, 0x4d],
            header.as_slice(),
            &[0xa0, 0x58, u8::try_from(payload.len()).unwrap()],
            &payload,
            &[0x58, 0x40],
            &[0; 64],
        ].concat();
        check_canonical(&format!("{PREFIX}{}", base45::encode(cose)))?;
    }

    #[test]
    fn any_bytes_are_refused_as_signed_objects(bytes in vec(any::<u8>(), 0..400)) {
        let root = RootKey::new(PrivateKey::from_seed(&[2; 32]));
        prop_assert!(verify_cose(&bytes, &key_set(), KeyUse::Sync, b"").is_err());
        prop_assert!(SignedKeySet::from_bytes(bytes).verify(&root.public()).is_err());
    }

    #[test]
    fn key_sets_survive_the_wire(version: u64, seeds in vec((any::<[u8; 32]>(), 0..3_u8), 0..6)) {
        let entries = seeds.iter().map(|(seed, status)| KeyEntry {
            key: PrivateKey::from_seed(seed).public(),
            key_use: if seed[0] % 2 == 0 { KeyUse::Ticket } else { KeyUse::Sync },
            window: EVER,
            status: STATUSES[usize::from(*status)],
        });
        let set = KeySet::new(version, entries.collect()).unwrap();
        let root = RootKey::new(PrivateKey::from_seed(&[2; 32]));
        let signed = root.sign(&set);
        prop_assert_eq!(signed.verify(&root.public()).unwrap(), set.clone());
        for entry in set.keys() {
            prop_assert_eq!(set.find(entry.key.kid()), Some(entry));
        }
        let mut cut = signed.as_bytes().to_vec();
        cut.pop();
        prop_assert!(SignedKeySet::from_bytes(cut).verify(&root.public()).is_err());
    }

    #[test]
    fn category_codes_are_what_they_say(text in "[A-Za-z0-9._ é-]{0,18}") {
        let legal = (1..=16).contains(&text.len())
            && text.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9' | '.' | '_' | '-'));
        let code = text.parse::<CategoryCode>();
        prop_assert_eq!(code.is_ok(), legal);
        if let Ok(code) = code {
            prop_assert_eq!(code.as_str(), &text);
            let cbor = minicbor::to_vec(code).unwrap();
            prop_assert_eq!(minicbor::decode::<CategoryCode>(&cbor).unwrap(), code);
            let json = serde_json::to_string(&code).unwrap();
            prop_assert_eq!(serde_json::from_str::<CategoryCode>(&json).unwrap(), code);
        }
    }

    #[test]
    fn category_codes_are_ordered_as_text(a in "[A-Z0-9._-]{1,16}", b in "[A-Z0-9._-]{1,16}") {
        let (left, right): (CategoryCode, CategoryCode) = (a.parse().unwrap(), b.parse().unwrap());
        prop_assert_eq!(left.cmp(&right), a.cmp(&b));
    }
}
