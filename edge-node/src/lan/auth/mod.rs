//! Who sends a request: each is signed by the key of a paired scanner and carries an access token
//! that this node gave to that scanner, except the request for an access token (`ADMISSION`
//! section 10).

mod access_tokens;
mod nonces;
mod pairing_codes;
mod quotas;

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};
use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, ScannerId},
    lan::signature::{self, Headers, Signed},
};

pub(crate) use access_tokens::AccessTokens;
pub(crate) use nonces::Nonces;
pub use pairing_codes::CODE_LIFE;
pub(crate) use pairing_codes::PairingCodes;
pub(crate) use quotas::Quotas;

use super::{Lan, connections::ConnectionHandle, error::ApiError, locked, request};

/// The one signed route that needs no access token.
const TOKENS: &str = "/v1/tokens";

/// The scanner that sent a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) scanner: ScannerId,
    /// The gates that it may scan for; none means all gates of the node.
    pub(crate) gates: Option<Arc<[GateId]>>,
}

/// Adds the [`Caller`] to a request, or refuses it.
pub(crate) async fn authenticate(
    State(lan): State<Arc<Lan>>,
    Extension(connection): Extension<ConnectionHandle>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let body = request::body(body).await?;
    let headers = signature_headers(&parts.headers)?;
    let claimed = signature::claimed_scanner(&headers.signature_input)?;
    let paired = lan.scanners.find(claimed).ok_or(ApiError::UnknownScanner)?;
    let authorization = text(&parts.headers, AUTHORIZATION.as_str()).unwrap_or("");
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let signed = Signed {
        method: parts.method.as_str(),
        path: target,
        authorization,
        body: &body,
    };
    let scanner = signature::verify(&signed, &headers, &paired.key)?;
    if target != TOKENS {
        let token = authorization
            .strip_prefix("Bearer ")
            .map(|token| Hash32::of(token.as_bytes()))
            .ok_or(ApiError::TokenExpired)?;
        let holder = locked(&lan.access_tokens).holder(token, lan.clock.boottime());
        if holder != Some(scanner) {
            return Err(ApiError::TokenExpired);
        }
        // Not before: a signature alone may be a recorded one.
        connection.mark_authenticated(scanner);
        lan.note_present(&connection, scanner)?;
    }
    locked(&lan.quotas)
        .take(scanner, lan.clock.boottime())
        .map_err(ApiError::TooManyRequests)?;
    parts.extensions.insert(Caller {
        scanner,
        gates: paired.gates,
    });
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

impl Lan {
    /// A scanner has proven itself on a connection. It may have been unpaired since its key was found, and
    /// then nobody else would close this connection.
    pub(super) fn note_present(
        &self,
        connection: &ConnectionHandle,
        scanner: ScannerId,
    ) -> Result<(), ApiError> {
        if self.scanners.find(scanner).is_none() {
            connection.close();
            return Err(ApiError::UnknownScanner);
        }
        if self.scanners.note_seen(scanner, self.stamp()) {
            Ok(())
        } else {
            Err(ApiError::ScannerExpired)
        }
    }
}

pub(super) fn signature_headers(headers: &HeaderMap) -> Result<Headers, ApiError> {
    let get = |name| {
        text(headers, name)
            .map(str::to_owned)
            .ok_or(ApiError::NotSigned)
    };
    Ok(Headers {
        content_digest: get(signature::CONTENT_DIGEST)?,
        signature_input: get(signature::SIGNATURE_INPUT)?,
        signature: get(signature::SIGNATURE)?,
    })
}

/// A header as text, if it is there exactly once.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        None
    } else {
        value.to_str().ok()
    }
}
