use std::fmt;

use ed25519_dalek::SigningKey;
use eventify_protocol::{
    ids::{CorrelationId, ScannerId},
    lan::{
        AccessToken,
        signature::{self, Headers, Signed},
    },
};
use reqwest::Method;

/// One request as it is sent. All of it can be changed, which the signature then does not cover.
#[derive(Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// `/v1/scans`; the API has no queries.
    pub path: String,
    /// Value of the `Authorization` header; empty for none.
    pub authorization: String,
    /// The headers of the signature; none for the request that is not signed.
    pub signature: Option<Headers>,
    /// JSON, or empty.
    pub body: Vec<u8>,
    /// Finds the request in the node's log; the node makes one if there is none.
    pub correlation_id: Option<CorrelationId>,
}

/// Without access token and body: both hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("correlation_id", &self.correlation_id)
            .finish_non_exhaustive()
    }
}

/// What a scanner signs its requests with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its id at the node.
    pub scanner_id: ScannerId,
    /// Its key.
    pub key: SigningKey,
    /// Its right to use the API. Without one the node accepts only a request for one.
    pub access: Option<AccessToken>,
}

impl Request {
    /// A request without signature and access token.
    #[must_use]
    pub fn unsigned(method: Method, path: &str, body: Vec<u8>) -> Self {
        Self {
            method,
            path: path.to_owned(),
            authorization: String::new(),
            signature: None,
            body,
            correlation_id: None,
        }
    }

    /// The request for a pairing, signed by the key that is to be paired.
    #[must_use]
    pub fn pairing(body: Vec<u8>, key: &SigningKey) -> Self {
        let request = Self::unsigned(Method::POST, "/v1/pairings", body);
        let signed = Signed {
            method: request.method.as_str(),
            path: &request.path,
            authorization: "",
            body: &request.body,
        };
        let signature = Some(signature::sign_pairing(&signed, key));
        Self {
            signature,
            ..request
        }
    }

    /// Name and value of each header that the API reads.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if !self.authorization.is_empty() {
            headers.push(("authorization", self.authorization.clone()));
        }
        if let Some(signed) = &self.signature {
            headers.push((signature::CONTENT_DIGEST, signed.content_digest.clone()));
            headers.push((signature::SIGNATURE_INPUT, signed.signature_input.clone()));
            headers.push((signature::SIGNATURE, signed.signature.clone()));
        }
        if let Some(id) = self.correlation_id {
            headers.push(("x-correlation-id", id.to_string()));
        }
        headers
    }
}

impl Credentials {
    /// A request with access token and signature (RFC 9421; [`signature`] has the details).
    #[must_use]
    pub fn sign(&self, method: Method, path: &str, body: Vec<u8>) -> Request {
        let access = self.access.as_ref();
        let authorization =
            access.map_or(String::new(), |access| format!("Bearer {}", access.token));
        let signed = Signed {
            method: method.as_str(),
            path,
            authorization: &authorization,
            body: &body,
        };
        Request {
            signature: Some(signature::sign(&signed, self.scanner_id, &self.key)),
            authorization,
            ..Request::unsigned(method, path, body)
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            scanner_id: ScannerId(Uuid::from_u128(42)),
            key: SigningKey::from_bytes(&[7; 32]),
            access: Some(AccessToken {
                token: "abc".to_owned(),
                expires_in: 600,
            }),
        }
    }

    #[test]
    fn the_headers_of_a_signed_request_verify_for_its_method_path_token_and_body() {
        let credentials = credentials();
        let request = credentials.sign(Method::POST, "/v1/scans", b"{}".to_vec());
        let names: Vec<_> = request.headers().iter().map(|(name, _)| *name).collect();
        let expected = [
            "authorization",
            "content-digest",
            "signature-input",
            "signature",
        ];
        assert_eq!(names, expected);
        let signed = Signed {
            method: "POST",
            path: "/v1/scans",
            authorization: "Bearer abc",
            body: b"{}",
        };
        let key = credentials.key.verifying_key();
        let verified = signature::verify(&signed, &request.signature.unwrap(), &key);
        assert_eq!(verified, Ok(credentials.scanner_id));
    }

    #[test]
    fn secrets_are_not_printed() {
        let credentials = credentials();
        let request = credentials.sign(Method::POST, "/v1/scans", b"EV1:TICKET".to_vec());
        let printed = format!("{credentials:?} {request:?}");
        assert!(
            !printed.contains("abc") && !printed.contains("EV1"),
            "{printed}"
        );
        let seed = format!("{:?}", [7_u8; 32]);
        assert!(
            !printed.contains(seed.trim_matches(['[', ']'])),
            "{printed}"
        );
    }
}
