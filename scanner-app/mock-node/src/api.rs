//! The routes of the LAN API, signed as the real ones.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State as Extract,
    http::{HeaderMap, Method, StatusCode, Uri, header::AUTHORIZATION},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use eventify_protocol::{
    error::{ErrorBody, ErrorDetail, FieldIssue},
    ids::ScannerId,
    lan::{
        ActRequest, Nonce, PairingAnswer, PairingRequest, ScanRequest, StreamEvent, TokenRequest,
        signature::{self, Headers, Signed},
    },
};
use futures_util::{Stream, stream};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{Shared, clock, state::State};

/// A stream says the mode at least this often.
const PULSE: Duration = Duration::from_secs(1);

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(handle).with_state(shared)
}

/// A refusal: status and code, and what is said besides.
pub(crate) struct Refused {
    status: u16,
    code: String,
    details: Vec<FieldIssue>,
    retry_after: u64,
}

impl Refused {
    pub(crate) fn new(status: u16, code: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            details: Vec::new(),
            retry_after: 1,
        }
    }

    pub(crate) fn with(mut self, field: &str, issue: String) -> Self {
        let field = field.to_owned();
        self.details.push(FieldIssue { field, issue });
        self
    }

    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = seconds;
        self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after.to_string();
        let error = ErrorDetail {
            message: format!("the mock node refuses: {}", self.code),
            code: self.code,
            details: self.details,
            correlation_id: clock::new_id(),
        };
        let body = Json(ErrorBody { error });
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            return (status, [("retry-after", retry_after)], body).into_response();
        }
        (status, body).into_response()
    }
}

async fn handle(
    Extract(shared): Extract<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if shared.lock().silent {
        pending::<()>().await;
    }
    let result = match (method.as_str(), uri.path()) {
        ("POST", "/v1/pairings") => pair(&shared, &headers, &body),
        ("GET", "/v1/nonce") => Ok(nonce(&shared)),
        ("POST", "/v1/tokens") => authenticate(&shared, &method, &uri, &headers, &body)
            .and_then(|scanner| token(&shared, scanner, &body)),
        _ => match authenticate(&shared, &method, &uri, &headers, &body) {
            Ok(scanner) => signed(&shared, scanner, (method.as_str(), uri.path()), &body).await,
            Err(refused) => Err(refused),
        },
    };
    result.unwrap_or_else(Refused::into_response)
}

async fn signed(
    shared: &Arc<Shared>,
    scanner: ScannerId,
    route: (&str, &str),
    body: &[u8],
) -> Result<Response, Refused> {
    match route {
        (_, "/v1/status") => Ok(Json(shared.lock().status()).into_response()),
        (_, "/v1/stream") => Ok(Sse::new(events(Arc::clone(shared))).into_response()),
        (_, "/v1/scans") => scan(shared, scanner, body).await,
        (_, "/v1/acts") => act(shared, scanner, body).await,
        _ => about_people(&mut shared.lock(), scanner, route, body),
    }
}

fn about_people(
    state: &mut State,
    scanner: ScannerId,
    route: (&str, &str),
    body: &[u8],
) -> Result<Response, Refused> {
    Ok(match route {
        ("GET", "/v1/people") => Json(state.people()).into_response(),
        ("POST", "/v1/sign-ins") => Json(state.begin_sign_in()?).into_response(),
        ("POST", "/v1/pins") => {
            state.set_pin(&read(body)?)?;
            StatusCode::NO_CONTENT.into_response()
        }
        ("POST", "/v1/shifts") => Json(state.begin_shift(scanner, &read(body)?)?).into_response(),
        ("GET", "/v1/shifts/current") => {
            let shift = state.staff.shift_of(scanner);
            Json(shift.ok_or_else(|| Refused::new(404, "no_shift"))?).into_response()
        }
        ("DELETE", "/v1/shifts/current") => {
            if !state.staff.end_shift(scanner) {
                return Err(Refused::new(404, "no_shift"));
            }
            StatusCode::NO_CONTENT.into_response()
        }
        ("POST", "/v1/authorisations") => {
            Json(state.authorise(scanner, &read(body)?)?).into_response()
        }
        ("POST", "/v1/searches") => Json(state.search(scanner, &read(body)?)?).into_response(),
        ("GET", "/v1/counts") => Json(state.counts()).into_response(),
        ("GET", path) => {
            let id = path.strip_prefix("/v1/sign-ins/");
            let id = id.ok_or_else(|| Refused::new(404, "not_found"))?;
            Json(state.sign_in(id)?).into_response()
        }
        _ => return Err(Refused::new(404, "not_found")),
    })
}

async fn act(shared: &Arc<Shared>, scanner: ScannerId, body: &[u8]) -> Result<Response, Refused> {
    let request: ActRequest = read(body)?;
    let (answer, is_lost) = {
        let mut state = shared.lock();
        (state.act(scanner, &request)?, state.loses())
    };
    if is_lost {
        pending::<()>().await;
    }
    Ok(Json(answer).into_response())
}

async fn scan(shared: &Arc<Shared>, scanner: ScannerId, body: &[u8]) -> Result<Response, Refused> {
    {
        let state = shared.lock();
        if state.staff.shift_needed && state.staff.shift_of(scanner).is_none() {
            return Err(Refused::new(403, "no_shift"));
        }
    }
    if let Some(code) = shared.lock().refuse.clone() {
        let status = match code.as_str() {
            "too_many_requests" => 429,
            "busy" => 503,
            "gate_not_allowed" => 403,
            _ => 409,
        };
        return Err(Refused::new(status, &code));
    }
    let scan: ScanRequest = read(body)?;
    let (answer, is_lost) = {
        let mut state = shared.lock();
        (state.answer(&scan), state.loses())
    };
    shared.changed.send_modify(|number| *number += 1);
    if is_lost {
        pending::<()>().await;
    }
    Ok(Json(answer).into_response())
}

fn pair(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refused> {
    let request: PairingRequest = read(body)?;
    let key = URL_SAFE_NO_PAD.decode(&request.public_key).ok();
    let key: [u8; 32] = key
        .and_then(|key| key.try_into().ok())
        .ok_or_else(|| Refused::new(422, "validation_error"))?;
    let key = VerifyingKey::from_bytes(&key);
    let key = key.map_err(|_| Refused::new(422, "validation_error"))?;
    let signed = Signed {
        method: "POST",
        path: "/v1/pairings",
        authorization: "",
        body,
    };
    let proven = signature::verify_pairing(&signed, &signature_headers(headers)?, &key);
    proven.map_err(|_| Refused::new(401, "signature_invalid"))?;
    let mut state = shared.lock();
    let scanner_id = state
        .pair(&request.code, key)
        .ok_or_else(|| Refused::new(403, "pairing_code_unknown"))?;
    let (node_id, venue_id) = state.ids();
    let answer = PairingAnswer {
        scanner_id,
        node_id,
        venue_id,
        gates: state.named_gates(),
        performances: state.performances(),
        access: state.issue(scanner_id),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn nonce(shared: &Shared) -> Response {
    let nonce = Nonce {
        nonce: shared.lock().new_nonce(),
        expires_in: 30,
    };
    Json(nonce).into_response()
}

fn token(shared: &Shared, scanner: ScannerId, body: &[u8]) -> Result<Response, Refused> {
    let request: TokenRequest = read(body)?;
    let mut state = shared.lock();
    let at = state
        .nonces
        .iter()
        .position(|nonce| *nonce == request.nonce);
    let at = at.ok_or_else(|| Refused::new(401, "nonce_refused"))?;
    state.nonces.remove(at);
    Ok(Json(state.issue(scanner)).into_response())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.map(str::to_owned)
}

fn signature_headers(headers: &HeaderMap) -> Result<Headers, Refused> {
    let header = |name| text(headers, name).ok_or_else(|| Refused::new(401, "not_signed"));
    Ok(Headers {
        content_digest: header(signature::CONTENT_DIGEST)?,
        signature_input: header(signature::SIGNATURE_INPUT)?,
        signature: header(signature::SIGNATURE)?,
    })
}

fn authenticate(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ScannerId, Refused> {
    let signed_by = signature_headers(headers)?;
    let invalid = |_| Refused::new(401, "signature_invalid");
    let claimed = signature::claimed_scanner(&signed_by.signature_input).map_err(invalid)?;
    let state = shared.lock();
    let key = state.key_of(claimed);
    let key = key.ok_or_else(|| Refused::new(401, "scanner_unknown"))?;
    let authorization = text(headers, AUTHORIZATION.as_str()).unwrap_or_default();
    let request = Signed {
        method: method.as_str(),
        path: uri.path(),
        authorization: &authorization,
        body,
    };
    let scanner = signature::verify(&request, &signed_by, &key).map_err(invalid)?;
    if uri.path() != "/v1/tokens" {
        let token = authorization.strip_prefix("Bearer ");
        let holder = token.and_then(|token| state.holder(token));
        if holder != Some(scanner) {
            return Err(Refused::new(401, "token_expired"));
        }
    }
    Ok(scanner)
}

/// The mode and the counts, in turn: at each change, and at least every [`PULSE`].
fn events(shared: Arc<Shared>) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = shared.changed.subscribe();
    stream::unfold(
        (shared, changes, 0_u64),
        |(shared, mut changes, count)| async move {
            // Mode and counts at once, and then when there is something.
            if count > 1 && count % 2 == 0 {
                drop(timeout(PULSE, changes.changed()).await);
            }
            if shared.lock().silent {
                pending::<()>().await;
            }
            let (name, event) = if count % 2 == 0 {
                ("mode", shared.lock().event())
            } else {
                let gates = shared.lock().gates.clone();
                ("counts", StreamEvent::Counts { gates })
            };
            let event = Event::default().event(name).json_data(&event);
            let event = event.unwrap_or_else(|_| Event::default().comment("no JSON"));
            Some((Ok(event), (shared, changes, count + 1)))
        },
    )
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused::new(400, "malformed_json"))
}
