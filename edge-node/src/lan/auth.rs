//! Who asks: every request is signed by a paired scanner's key and, but for the one that asks for
//! it, carries an access token that this node gave to that scanner (`ADMISSION` section 10).

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

use super::{Lan, error::ApiError, locked, request, stranger::Stranger};

/// The one route that a scanner without an access token may ask.
const TOKENS: &str = "/v1/tokens";

/// The scanner behind a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) scanner: ScannerId,
    /// The gates that it may scan for; all of the node if none are named.
    pub(super) gates: Option<Arc<[GateId]>>,
    /// Hash of its access token; none on the one route without.
    pub(super) access: Option<Hash32>,
}

/// Lets a request through with its [`Caller`], or not at all.
pub(super) async fn authenticate(
    State(lan): State<Arc<Lan>>,
    Extension(stranger): Extension<Stranger>,
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
    let mut access = None;
    if target != TOKENS {
        let token = authorization
            .strip_prefix("Bearer ")
            .map(|token| Hash32::of(token.as_bytes()))
            .ok_or(ApiError::TokenExpired)?;
        let holder = locked(&lan.access).holder(token, lan.clock.boottime());
        if holder != Some(scanner) {
            return Err(ApiError::TokenExpired);
        }
        // Not before: a signature alone may be a recorded one.
        stranger.is_known();
        access = Some(token);
    }
    parts.extensions.insert(Caller {
        scanner,
        gates: paired.gates,
        access,
    });
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

fn signature_headers(headers: &HeaderMap) -> Result<Headers, ApiError> {
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

/// A header that is there once, as text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        None
    } else {
        value.to_str().ok()
    }
}
