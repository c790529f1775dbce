//! How a scanner signs its requests: HTTP Message Signatures (RFC 9421) with one fixed set of
//! components, Ed25519, and `Content-Digest` (RFC 9530, sha-256) for the body.
//!
//! Method, path, content digest and authorization are signed. The scan id is part of the body and so
//! is signed too; it makes a replay harmless, because the same scan gets the same verdict. A request
//! for an access token contains the node's nonce for the same purpose, and a request for a pairing the
//! code, which is good once; it is signed by the key that is to be paired. The node accepts this set of
//! components only, and no other parameters.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::ids::ScannerId;

pub const CONTENT_DIGEST: &str = "content-digest";
pub const SIGNATURE_INPUT: &str = "signature-input";
pub const SIGNATURE: &str = "signature";

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// In upper case.
    pub method: &'a str,
    /// `/v1/scans`; the API takes no queries.
    pub path: &'a str,
    /// The whole value of the `Authorization` header; empty before the first access token.
    pub authorization: &'a str,
    pub body: &'a [u8],
}

/// The three headers of a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    pub content_digest: String,
    pub signature_input: String,
    pub signature: String,
}

/// Why a request is not accepted as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `Signature-Input` is not the one form that is accepted.
    #[error("Signature-Input is not of the accepted form")]
    Input,
    /// The body is not the one that was signed.
    #[error("Content-Digest does not match the body")]
    Digest,
    /// The signature does not hold.
    #[error("the signature does not verify")]
    Signature,
}

const COMPONENTS: &str = r#"("@method" "@path" "content-digest" "authorization")"#;

/// Signs a request.
#[must_use]
pub fn sign(request: &Signed<'_>, scanner: ScannerId, key: &SigningKey) -> Headers {
    sign_as(request, &scanner.to_string(), key)
}

/// Signs the request for a pairing: the scanner has no id yet, so its public key is the `keyid`.
#[must_use]
pub fn sign_pairing(request: &Signed<'_>, key: &SigningKey) -> Headers {
    sign_as(request, &key_id(&key.verifying_key()), key)
}

fn sign_as(request: &Signed<'_>, key_id: &str, key: &SigningKey) -> Headers {
    let content_digest = digest(request.body);
    let parameters = parameters(key_id);
    let signature = key.sign(base(request, &content_digest, &parameters).as_bytes());
    Headers {
        content_digest,
        signature_input: format!("sig={parameters}"),
        signature: format!("sig=:{}:", STANDARD.encode(signature.to_bytes())),
    }
}

/// The scanner that a request claims to be from, for finding its key.
///
/// # Errors
/// [`SignatureError::Input`].
pub fn claimed_scanner(signature_input: &str) -> Result<ScannerId, SignatureError> {
    signature_input
        .strip_prefix("sig=")
        .and_then(|rest| rest.strip_prefix(COMPONENTS))
        .and_then(|rest| rest.strip_prefix(";alg=\"ed25519\";keyid=\""))
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|id| id.parse().ok())
        .ok_or(SignatureError::Input)
}

/// Verifies a request with the key of the scanner that it claims to be from.
///
/// # Errors
/// See [`SignatureError`].
pub fn verify(
    request: &Signed<'_>,
    headers: &Headers,
    key: &VerifyingKey,
) -> Result<ScannerId, SignatureError> {
    let scanner = claimed_scanner(&headers.signature_input)?;
    verify_as(request, headers, &scanner.to_string(), key)?;
    Ok(scanner)
}

/// Verifies the request for a pairing: whoever sent it holds the private half of the key that is to be
/// paired, and meant this code.
///
/// # Errors
/// See [`SignatureError`].
pub fn verify_pairing(
    request: &Signed<'_>,
    headers: &Headers,
    key: &VerifyingKey,
) -> Result<(), SignatureError> {
    let key_id = key_id(key);
    if headers.signature_input != format!("sig={}", parameters(&key_id)) {
        return Err(SignatureError::Input);
    }
    verify_as(request, headers, &key_id, key)
}

fn verify_as(
    request: &Signed<'_>,
    headers: &Headers,
    key_id: &str,
    key: &VerifyingKey,
) -> Result<(), SignatureError> {
    if digest(request.body) != headers.content_digest {
        return Err(SignatureError::Digest);
    }
    let bytes = headers
        .signature
        .strip_prefix("sig=:")
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or(SignatureError::Signature)?;
    let signature = Signature::from_slice(&bytes).map_err(|_| SignatureError::Signature)?;
    let base = base(request, &headers.content_digest, &parameters(key_id));
    key.verify_strict(base.as_bytes(), &signature)
        .map_err(|_| SignatureError::Signature)
}

/// A public key as `keyid`: base64url without padding, which is no scanner's id.
fn key_id(key: &VerifyingKey) -> String {
    URL_SAFE_NO_PAD.encode(key.as_bytes())
}

fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

fn parameters(key_id: &str) -> String {
    format!("{COMPONENTS};alg=\"ed25519\";keyid=\"{key_id}\"")
}

/// The signature base (RFC 9421 section 2.5).
fn base(request: &Signed<'_>, content_digest: &str, parameters: &str) -> String {
    format!(
        "\"@method\": {}\n\"@path\": {}\n\"content-digest\": {content_digest}\n\
         \"authorization\": {}\n\"@signature-params\": {parameters}",
        request.method, request.path, request.authorization,
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn request(body: &[u8]) -> Signed<'_> {
        Signed {
            method: "POST",
            path: "/v1/scans",
            authorization: "Bearer abc",
            body,
        }
    }

    #[test]
    fn a_signed_request_verifies_and_any_change_does_not() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let scanner = ScannerId(Uuid::from_u128(42));
        let headers = sign(&request(b"{}"), scanner, &key);
        let public = key.verifying_key();
        assert_eq!(verify(&request(b"{}"), &headers, &public), Ok(scanner));
        assert_eq!(
            verify(&request(b"{ }"), &headers, &public),
            Err(SignatureError::Digest)
        );
        for changed in [
            Signed {
                method: "GET",
                ..request(b"{}")
            },
            Signed {
                path: "/v1/status",
                ..request(b"{}")
            },
            Signed {
                authorization: "Bearer abd",
                ..request(b"{}")
            },
        ] {
            assert_eq!(
                verify(&changed, &headers, &public),
                Err(SignatureError::Signature)
            );
        }
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert_eq!(
            verify(&request(b"{}"), &headers, &other),
            Err(SignatureError::Signature)
        );
    }

    #[test]
    fn a_pairing_is_signed_by_the_key_that_is_to_be_paired() {
        let [own, other] = [7, 8].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let headers = sign_pairing(&request(b"{}"), &own);
        let public = own.verifying_key();
        assert_eq!(verify_pairing(&request(b"{}"), &headers, &public), Ok(()));
        assert_eq!(
            verify_pairing(&request(b"{ }"), &headers, &public),
            Err(SignatureError::Digest)
        );
        assert_eq!(
            verify_pairing(&request(b"{}"), &headers, &other.verifying_key()),
            Err(SignatureError::Input)
        );
        let mut renamed = sign_pairing(&request(b"{}"), &other);
        renamed.signature_input = headers.signature_input.clone();
        assert_eq!(
            verify_pairing(&request(b"{}"), &renamed, &public),
            Err(SignatureError::Signature)
        );
        // Nor is it a request of a paired scanner.
        assert_eq!(
            claimed_scanner(&headers.signature_input),
            Err(SignatureError::Input)
        );
    }

    #[test]
    fn only_the_fixed_components_are_accepted() {
        let narrowed =
            r#"sig=("@method");alg="ed25519";keyid="00000000-0000-0000-0000-00000000002a""#;
        assert_eq!(claimed_scanner(narrowed), Err(SignatureError::Input));
    }
}
