//! How a node joins a venue: one code, one request, one certificate (`ADMISSION`
//! section 10).
//!
//! The core makes an [`EnrolmentCode`]. It carries the core's address and the fingerprint of the
//! authority that its certificate must come from, so that the first contact is already safe. The
//! node makes its keys, sends `POST /fleet/enrolments` ([`EnrolmentRequest`]) and gets its identity
//! ([`EnrolmentAnswer`]). Later it has its certificate renewed with `POST /fleet/renewals`
//! ([`RenewalRequest`]).

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decode, Decoder, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    hash::Hash32,
    ids::{NodeId, VenueId},
};

const PREFIX: &str = "evn1.";

/// Longest code that is read.
const MAX_CODE_CHARS: usize = 512;

/// The secret part of a code: one use, kept by the core as a hash.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct EnrolmentSecret(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 20]);

/// What venue IT types or pastes on the new node.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EnrolmentCode {
    /// Base URL of the core's fleet listener, `https://…`.
    #[n(0)]
    pub core: String,
    /// SHA-256 over the DER certificate of the authority that signs the core's fleet certificate.
    #[n(1)]
    pub authority: Hash32,
    /// The secret.
    #[n(2)]
    pub secret: EnrolmentSecret,
}

/// Why a text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no enrolment code: it begins with '{PREFIX}' and is copied whole")]
pub struct MalformedCode;

/// `POST /fleet/enrolments`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolmentRequest {
    /// The code's secret, base64url without padding.
    pub secret: String,
    /// PKCS #10 request, PEM. Only its public key is used.
    pub csr: String,
    /// Version of the node's software.
    pub software: String,
}

/// Who the node is from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrolmentAnswer {
    /// The node's instance.
    pub node_id: NodeId,
    /// Its venue.
    pub venue_id: VenueId,
    /// The venue's name for it.
    pub label: String,
    /// Its certificate and the authority's, PEM, leaf first.
    pub certificate_chain: String,
    /// Where the broker is.
    pub broker: BrokerAddress,
    /// The root key that signs key sets, base64url without padding; pinned from now on.
    pub root_key: String,
    /// The signed key set, base64url without padding.
    pub key_set: String,
}

/// `POST /fleet/renewals`: the certificate of an enrolled node is to be renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenewalRequest {
    /// The node's instance.
    pub node_id: NodeId,
    /// PKCS #10 request, PEM, signed by the key that the node enrolled with. A request that somebody
    /// has copied gives him a certificate that he can't use.
    pub csr: String,
}

/// What is in force from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalAnswer {
    /// The certificate and its authority's, PEM, leaf first.
    pub certificate_chain: String,
    /// Where the broker is.
    pub broker: BrokerAddress,
}

/// The broker's MQTT listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokerAddress {
    /// Host name, as in its certificate.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The authority of its certificate, PEM.
    pub authority: String,
}

impl EnrolmentSecret {
    /// As it travels in an [`EnrolmentRequest`].
    #[must_use]
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the core keeps of it.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        Hash32::of(&self.0)
    }
}

impl FromStr for EnrolmentSecret {
    type Err = MalformedCode;

    fn from_str(text: &str) -> Result<Self, MalformedCode> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedCode)?;
        bytes.try_into().map(Self).map_err(|_| MalformedCode)
    }
}

impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = minicbor::to_vec(self).expect("writing to a Vec can't fail");
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for EnrolmentCode {
    type Err = MalformedCode;

    fn from_str(text: &str) -> Result<Self, MalformedCode> {
        let text = text.trim();
        if text.len() > MAX_CODE_CHARS {
            return Err(MalformedCode);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(MalformedCode)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| MalformedCode)?;
        let mut decoder = Decoder::new(&bytes);
        let code: Self = decoder.decode().map_err(|_| MalformedCode)?;
        let whole = decoder.position() == bytes.len();
        if whole && code.core.starts_with("https://") {
            Ok(code)
        } else {
            Err(MalformedCode)
        }
    }
}

impl fmt::Debug for EnrolmentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentSecret(…)")
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentCode")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for EnrolmentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentRequest")
            .field("software", &self.software)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> EnrolmentCode {
        EnrolmentCode {
            core: "https://core.example.org:8443".to_owned(),
            authority: Hash32([9; 32]),
            secret: EnrolmentSecret([5; 20]),
        }
    }

    #[test]
    fn a_code_is_read_as_written_and_damaged_ones_are_not() {
        let text = code().to_string();
        assert_eq!(format!(" {text}\n").parse::<EnrolmentCode>(), Ok(code()));
        for end in 0..text.len() {
            assert!(
                text[..end].parse::<EnrolmentCode>().is_err(),
                "cut at {end}"
            );
        }
        let plain = EnrolmentCode {
            core: "http://core".to_owned(),
            ..code()
        };
        assert!(
            plain.to_string().parse::<EnrolmentCode>().is_err(),
            "without TLS"
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        let printed = format!("{:?}", code());
        assert!(!printed.contains("secret: "), "{printed}");
    }
}
