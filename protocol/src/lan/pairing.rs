//! The code that a node shows to pair a scanner: `evp1.` and base64url over CBOR.
//!
//! It contains the node's address and the fingerprint of its LAN *key*, so that the first connection
//! is already safe. The key lasts as long as the enrolment; the certificates around it change
//! (`ADMISSION` section 10).

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decode, Decoder, Encode};

use crate::hash::Hash32;

const PREFIX: &str = "evp1.";

/// Longest code that is read.
const MAX_CODE_CHARS: usize = 512;

/// The content of the code.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PairingCode {
    /// Base URL of the node's LAN API, `https://…`.
    #[n(0)]
    pub node: String,
    /// SHA-256 over the DER `SubjectPublicKeyInfo` of the node's LAN key.
    #[n(1)]
    pub key: Hash32,
    /// One use, base64url; what `PairingRequest::code` carries.
    #[n(2)]
    pub secret: String,
}

/// The text is not a pairing code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a pairing code: a complete one begins with '{PREFIX}'")]
pub struct MalformedPairingCode;

impl fmt::Display for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = minicbor::to_vec(self).expect("writing to a Vec can't fail");
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingCode")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl FromStr for PairingCode {
    type Err = MalformedPairingCode;

    fn from_str(text: &str) -> Result<Self, MalformedPairingCode> {
        let text = text.trim();
        if text.len() > MAX_CODE_CHARS {
            return Err(MalformedPairingCode);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(MalformedPairingCode)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(encoded)
            .map_err(|_| MalformedPairingCode)?;
        let mut decoder = Decoder::new(&bytes);
        let code: Self = decoder.decode().map_err(|_| MalformedPairingCode)?;
        let whole = decoder.position() == bytes.len();
        if whole && code.node.starts_with("https://") {
            Ok(code)
        } else {
            Err(MalformedPairingCode)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_written_and_damaged_ones_are_not() {
        let code = PairingCode {
            node: "https://10.0.0.5:7443".to_owned(),
            key: Hash32([9; 32]),
            secret: "c2VjcmV0".to_owned(),
        };
        let text = code.to_string();
        assert_eq!(format!("{text}\n").parse::<PairingCode>(), Ok(code));
        for end in 0..text.len() {
            assert!(text[..end].parse::<PairingCode>().is_err(), "cut at {end}");
        }
    }
}
