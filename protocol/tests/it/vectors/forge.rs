//! Writes tokens by hand, byte for byte, right or wrong. Shares no encoder with the crate under
//! test: CBOR heads are put together here, and the `Sig_structure` too.

use ed25519_dalek::{Signer as _, SigningKey};

/// A CBOR head (RFC 8949, section 3) in its shortest form.
pub(crate) fn head(major: u8, argument: u64) -> Vec<u8> {
    let first = major << 5;
    let wide = argument.to_be_bytes();
    let (info, width) = match argument {
        0..24 => return vec![first | wide[7]],
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    [&[first | info], &wide[8 - width..]].concat()
}

pub(crate) fn int(value: i64) -> Vec<u8> {
    match u64::try_from(value) {
        Ok(value) => head(0, value),
        Err(_) => head(1, value.unsigned_abs() - 1),
    }
}

pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len() as u64), content.to_vec()].concat()
}

pub(crate) fn text(content: &str) -> Vec<u8> {
    [head(3, content.len() as u64), content.as_bytes().to_vec()].concat()
}

/// A map's label and value, each encoded.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

pub(crate) fn map(entries: &[Entry]) -> Vec<u8> {
    let mut map = head(5, entries.len() as u64);
    for (label, value) in entries {
        map.extend_from_slice(label);
        map.extend_from_slice(value);
    }
    map
}

/// What to do to a signature once it is made; gets the signed message and the key too.
pub(crate) type Spoil = fn(&mut Vec<u8>, &[u8], &SigningKey);

/// The parts of a signed object, each free to be wrong. Signed only when written out, so that each
/// object breaks the rule that it was made to break and no other.
#[derive(Clone)]
pub(crate) struct Forge {
    tag: Vec<u8>,
    array: Vec<u8>,
    /// What the protected byte string holds.
    protected: Vec<u8>,
    /// The whole first element, where it is not just that byte string.
    protected_item: Option<Vec<u8>>,
    unprotected: Vec<u8>,
    /// What the payload byte string holds.
    payload: Vec<u8>,
    /// The whole third element, where it is not just that byte string.
    payload_item: Option<Vec<u8>>,
    trailing: Vec<u8>,
    key: SigningKey,
    context: &'static str,
    external_aad: Vec<u8>,
    spoil: Spoil,
}

impl Forge {
    /// A good object, to be spoiled by the methods below.
    pub(crate) fn new(seed: &[u8; 32], protected: Vec<u8>, payload: Vec<u8>) -> Self {
        Self {
            tag: vec![0xd2],
            array: vec![0x84],
            protected,
            protected_item: None,
            unprotected: vec![0xa0],
            payload,
            payload_item: None,
            trailing: Vec::new(),
            key: SigningKey::from_bytes(seed),
            context: "Signature1",
            external_aad: Vec::new(),
            spoil: |_, _, _| {},
        }
    }

    pub(crate) fn tag(&self, tag: &[u8]) -> Self {
        Self {
            tag: tag.to_vec(),
            ..self.clone()
        }
    }

    pub(crate) fn array(&self, array: &[u8]) -> Self {
        Self {
            array: array.to_vec(),
            ..self.clone()
        }
    }

    pub(crate) fn protected(&self, protected: Vec<u8>) -> Self {
        Self {
            protected,
            ..self.clone()
        }
    }

    /// The protected map as an element of its own, in no byte string.
    pub(crate) fn protected_bare(&self) -> Self {
        Self {
            protected_item: Some(self.protected.clone()),
            ..self.clone()
        }
    }

    pub(crate) fn unprotected(&self, unprotected: Vec<u8>) -> Self {
        Self {
            unprotected,
            ..self.clone()
        }
    }

    pub(crate) fn payload(&self, payload: Vec<u8>) -> Self {
        Self {
            payload,
            ..self.clone()
        }
    }

    pub(crate) fn payload_item(&self, item: Vec<u8>) -> Self {
        Self {
            payload_item: Some(item),
            ..self.clone()
        }
    }

    pub(crate) fn trailing(&self, trailing: &[u8]) -> Self {
        Self {
            trailing: trailing.to_vec(),
            ..self.clone()
        }
    }

    pub(crate) fn signed_by(&self, seed: &[u8; 32]) -> Self {
        Self {
            key: SigningKey::from_bytes(seed),
            ..self.clone()
        }
    }

    pub(crate) fn context(&self, context: &'static str) -> Self {
        Self {
            context,
            ..self.clone()
        }
    }

    pub(crate) fn external_aad(&self, external_aad: &[u8]) -> Self {
        Self {
            external_aad: external_aad.to_vec(),
            ..self.clone()
        }
    }

    pub(crate) fn spoil(&self, spoil: Spoil) -> Self {
        Self {
            spoil,
            ..self.clone()
        }
    }

    pub(crate) fn cose(&self) -> Vec<u8> {
        let message = [
            vec![0x84],
            text(self.context),
            bytes(&self.protected),
            bytes(&self.external_aad),
            bytes(&self.payload),
        ]
        .concat();
        let mut signature = self.key.sign(&message).to_vec();
        (self.spoil)(&mut signature, &message, &self.key);
        [
            self.tag.clone(),
            self.array.clone(),
            self.protected_item
                .clone()
                .unwrap_or_else(|| bytes(&self.protected)),
            self.unprotected.clone(),
            self.payload_item
                .clone()
                .unwrap_or_else(|| bytes(&self.payload)),
            bytes(&signature),
            self.trailing.clone(),
        ]
        .concat()
    }

    pub(crate) fn text(&self) -> String {
        format!("EV1:{}", base45::encode(self.cose()))
    }
}

/// `{1: -8, 4: kid}`
pub(crate) fn protected(kid: &[u8]) -> Vec<u8> {
    map(&[(int(1), int(-8)), (int(4), bytes(kid))])
}
