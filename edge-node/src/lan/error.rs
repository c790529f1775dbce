//! Every error that the API answers.

use std::{any::Any, ops::RangeInclusive, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use eventify_protocol::{
    error::{ErrorBody, ErrorDetail, FieldIssue},
    lan::{MAX_NOTE_CHARS, NamedGate, SEARCH_CHARS, signature::SignatureError},
    staff::{PIN_DIGITS, StaffRole},
};

use eventify_sync::edge::ActRefusal;

use super::{
    guests::SEARCHES_AN_HOUR,
    request::{MAX_BODY_BYTES, correlation},
    scanners::MAX_LABEL_CHARS,
    staff::Acting,
};
use crate::owner::{NoAct, NoVerdict};
use eventify_sync::edge::NoSearch;

/// Gates that a refusal names.
const MAX_NAMED_GATES: usize = 16;

/// The messages are for people, [`ApiError::status_and_code`] is for programs.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("the body is not the JSON of this request: {field}: {issue}")]
    Malformed { field: String, issue: String },
    #[error("the body is larger than {MAX_BODY_BYTES} bytes")]
    BodyTooLarge,
    #[error("the body did not arrive in time")]
    BodyTimeout,
    #[error("the connection broke within the body")]
    BodyBroken,
    #[error("the public key is not an Ed25519 key in base64url without padding")]
    BadPublicKey,
    #[error("the label must have 1 to {MAX_LABEL_CHARS} printable characters")]
    BadLabel { chars: usize },
    #[error("the pairing code is unknown, used or expired; have the node show a new one")]
    UnknownCode,
    #[error("this node is paired with as many scanners as it may")]
    TooManyScanners,
    #[error("the request is not signed as this API requires")]
    NotSigned,
    #[error("the signature is not accepted: {0}")]
    Signature(#[from] SignatureError),
    #[error("this scanner is not paired with this node")]
    UnknownScanner,
    #[error("this scanner was not seen for 30 days; pair it again")]
    ScannerExpired,
    #[error(
        "this scanner sends too many requests; send it again later, a scan with the same scan id"
    )]
    TooManyRequests(Duration),
    #[error("the access token is unknown or expired; get a new one from /v1/tokens")]
    TokenExpired,
    #[error("the nonce is unknown, used or too old; get a new one from /v1/nonce")]
    BadNonce,
    /// With those that it may scan for.
    #[error("this scanner may not scan for this gate")]
    GateNotAllowed(Vec<NamedGate>),
    #[error("the scan id was used before, for another scanner, gate or token")]
    ScanIdConflict,
    #[error(
        "this scanner has typed too many short codes that are no ticket's; type none for a while, and \
         scan QR codes meanwhile"
    )]
    TooManyWrongCodes(Duration),
    #[error("nobody of this id works here; read the list again")]
    PersonUnknown,
    #[error("a PIN has {PIN_DIGITS} digits")]
    PinMalformed,
    #[error("that PIN is one that everybody tries first; choose another one")]
    PinTooSimple,
    #[error("the PIN is wrong; {0} more tries")]
    WrongPin(u32),
    #[error("too many PINs were wrong; wait, or sign in with the identity provider")]
    PinLocked(Duration),
    #[error(
        "this person has no PIN at this node, or it has ended; sign in with the identity provider"
    )]
    NoPin,
    #[error("this sign-in is unknown at this scanner, used, or over; begin again")]
    SignInUnknown,
    #[error("too many sign-ins are open; finish one, or wait until they end")]
    TooManySignIns,
    #[error("the identity provider can't be asked at present; tell venue IT")]
    SignInUnavailable,
    #[error("the core is out of reach: a first sign-in needs it; a PIN does not")]
    CoreUnreachable,
    #[error("the colleague's word is unknown here or over; have them type their PIN again")]
    AuthorisationUnknown,
    #[error("nobody is on shift at this scanner")]
    NoShift,
    #[error("nobody is on shift at this scanner")]
    NoCurrentShift,
    #[error(
        "nobody is on shift at this scanner, and this venue scans only with somebody signed in"
    )]
    ShiftNeeded,
    #[error("none of this person's roles may do that; have a colleague type their PIN")]
    NotAllowed(Acting),
    #[error("this needs a reason: 'reason' with a 'code'")]
    ReasonNeeded,
    #[error(
        "a note has at most {MAX_NOTE_CHARS} printable characters, and reason 'other' needs one"
    )]
    BadNote { chars: usize },
    #[error("{}", words(*.0))]
    ActRefused(ActRefusal),
    #[error("the node could not store it; see its log, and send it again")]
    StaffNotStored,
    #[error("this venue has not switched on that its staff look for guests; venue IT can")]
    SearchOff,
    #[error("too old is what this node knows of guests: it is locked, and nobody is let in here")]
    SearchLocked,
    #[error(
        "what is looked for must have {} to {} characters", SEARCH_CHARS.start(), SEARCH_CHARS.end()
    )]
    BadSearchText { chars: usize },
    #[error("the search id was used before, for another search")]
    SearchIdConflict,
    #[error(
        "this person has searched {SEARCHES_AN_HOUR} times within the hour; search again later"
    )]
    TooManySearches(Duration),
    #[error("the node is busy; send the request again, a scan with the same scan id")]
    Busy,
    #[error(
        "the node is stopping or its disk fails; send the request again, a scan with the same scan id"
    )]
    NodeFault,
    #[error("the node could not store the pairing; see its log")]
    NotStored,
    #[error("there is nothing at this address")]
    NotFound,
    #[error("this address has no such method")]
    MethodNotAllowed,
    #[error("the node failed; its log has the correlation id")]
    Internal,
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Malformed { .. } => (StatusCode::BAD_REQUEST, "malformed_json"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::BodyBroken => (StatusCode::BAD_REQUEST, "body_broken"),
            Self::BadPublicKey | Self::BadLabel { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "validation_error")
            }
            Self::UnknownCode => (StatusCode::FORBIDDEN, "pairing_code_unknown"),
            Self::TooManyScanners => (StatusCode::CONFLICT, "too_many_scanners"),
            Self::NotSigned => (StatusCode::UNAUTHORIZED, "not_signed"),
            Self::Signature(_) => (StatusCode::UNAUTHORIZED, "signature_invalid"),
            Self::UnknownScanner => (StatusCode::UNAUTHORIZED, "scanner_unknown"),
            Self::ScannerExpired => (StatusCode::UNAUTHORIZED, "scanner_expired"),
            Self::TooManyRequests(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::TokenExpired => (StatusCode::UNAUTHORIZED, "token_expired"),
            Self::BadNonce => (StatusCode::UNAUTHORIZED, "nonce_refused"),
            Self::GateNotAllowed(_) => (StatusCode::FORBIDDEN, "gate_not_allowed"),
            Self::ScanIdConflict => (StatusCode::CONFLICT, "scan_id_conflict"),
            Self::TooManyWrongCodes(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_wrong_codes"),
            Self::PersonUnknown => (StatusCode::NOT_FOUND, "person_unknown"),
            Self::ReasonNeeded | Self::BadNote { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "validation_error")
            }
            Self::ActRefused(refusal) => (status_of(*refusal), refusal.code()),
            Self::PinMalformed => (StatusCode::UNPROCESSABLE_ENTITY, "validation_error"),
            Self::PinTooSimple => (StatusCode::UNPROCESSABLE_ENTITY, "pin_too_simple"),
            Self::WrongPin(_) => (StatusCode::UNAUTHORIZED, "wrong_pin"),
            Self::PinLocked(_) => (StatusCode::TOO_MANY_REQUESTS, "pin_locked"),
            Self::NoPin => (StatusCode::CONFLICT, "no_pin"),
            Self::SignInUnknown => (StatusCode::NOT_FOUND, "sign_in_unknown"),
            Self::TooManySignIns => (StatusCode::TOO_MANY_REQUESTS, "too_many_sign_ins"),
            Self::SignInUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "sign_in_unavailable"),
            Self::CoreUnreachable => (StatusCode::SERVICE_UNAVAILABLE, "core_unreachable"),
            Self::AuthorisationUnknown => (StatusCode::FORBIDDEN, "authorisation_unknown"),
            Self::NoShift => (StatusCode::CONFLICT, "no_shift"),
            Self::NoCurrentShift => (StatusCode::NOT_FOUND, "no_shift"),
            Self::ShiftNeeded => (StatusCode::FORBIDDEN, "no_shift"),
            Self::NotAllowed(_) => (StatusCode::FORBIDDEN, "not_allowed"),
            Self::StaffNotStored => (StatusCode::SERVICE_UNAVAILABLE, "not_stored"),
            Self::SearchOff => (StatusCode::FORBIDDEN, "search_off"),
            Self::SearchLocked => (StatusCode::CONFLICT, "node_locked"),
            Self::BadSearchText { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "validation_error"),
            Self::SearchIdConflict => (StatusCode::CONFLICT, "search_id_conflict"),
            Self::TooManySearches(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_searches"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::NodeFault => (StatusCode::SERVICE_UNAVAILABLE, "node_fault"),
            Self::NotStored => (StatusCode::SERVICE_UNAVAILABLE, "not_stored"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        }
    }

    /// In seconds, at least one.
    fn retry_after(&self) -> Option<u64> {
        if let Self::TooManyRequests(wait)
        | Self::TooManyWrongCodes(wait)
        | Self::TooManySearches(wait)
        | Self::PinLocked(wait) = self
        {
            let is_more = u64::from(wait.subsec_nanos() > 0);
            return Some(wait.as_secs().saturating_add(is_more).max(1));
        }
        if let Self::ActRefused(ActRefusal::TooMany(wait)) = self {
            return Some(wait.as_secs().saturating_add(1));
        }
        let (status, _) = self.status_and_code();
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }

    /// The field, and what is taken. A PIN's length is not said.
    fn details(&self) -> Vec<FieldIssue> {
        let (field, issue) = if let Self::Malformed { field, issue } = self {
            (field.as_str(), issue.clone())
        } else if matches!(self, Self::BadPublicKey) {
            let issue = "must be an Ed25519 key in base64url without padding, 43 characters";
            ("publicKey", issue.to_owned())
        } else if let Self::BadLabel { chars } = self {
            ("label", text_of(1..=MAX_LABEL_CHARS, *chars))
        } else if let Self::BadSearchText { chars } = self {
            ("text", text_of(SEARCH_CHARS, *chars))
        } else if matches!(self, Self::PinMalformed) {
            ("pin", format!("must have {PIN_DIGITS} digits"))
        } else if matches!(self, Self::PinTooSimple) {
            let issue = "must not be one that everybody tries first";
            ("pin", issue.to_owned())
        } else if matches!(self, Self::ReasonNeeded) {
            let issue = "is required: an object with code, note";
            ("reason", issue.to_owned())
        } else if matches!(self, Self::BadNote { chars: 0 }) {
            let issue = "is required beside the code 'other'";
            ("reason.note", issue.to_owned())
        } else if let Self::BadNote { chars } = self {
            ("reason.note", text_of(1..=MAX_NOTE_CHARS, *chars))
        } else if let Self::GateNotAllowed(gates) = self {
            ("gateId", one_of(gates))
        } else if matches!(self, Self::ActRefused(ActRefusal::GateNotAllowed)) {
            let issue = "must be a gate of this node: GET /v1/status names them";
            ("gateId", issue.to_owned())
        } else if let Self::WrongPin(left) = self {
            ("triesLeft", left.to_string())
        } else if let Self::NotAllowed(may) = self {
            ("allowed", allowed(*may))
        } else {
            return Vec::new();
        };
        vec![FieldIssue {
            field: field.to_owned(),
            issue,
        }]
    }
}

fn text_of(allowed: RangeInclusive<usize>, chars: usize) -> String {
    let (least, most) = (allowed.start(), allowed.end());
    let what = if allowed.contains(&chars) {
        "with some that can't be shown"
    } else {
        "in number"
    };
    format!("must have {least} to {most} printable characters; given: {chars}, {what}")
}

fn one_of(gates: &[NamedGate]) -> String {
    let known = gates.iter().take(MAX_NAMED_GATES);
    let names: Vec<_> = known
        .map(|gate| format!("{} ({})", gate.gate_id, gate.name))
        .collect();
    let more = gates.len().saturating_sub(MAX_NAMED_GATES);
    match (names.is_empty(), more) {
        (true, _) => "this scanner may scan for no gate; venue IT gives it one".to_owned(),
        (false, 0) => format!("must be one of {}", names.join(", ")),
        (false, more) => format!("must be one of {} and {more} more", names.join(", ")),
    }
}

fn status_of(refusal: ActRefusal) -> StatusCode {
    match refusal {
        ActRefusal::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        ActRefusal::CoreNeeded => StatusCode::SERVICE_UNAVAILABLE,
        ActRefusal::GateNotAllowed => StatusCode::FORBIDDEN,
        ActRefusal::UnknownScan | ActRefusal::UnknownTicket => StatusCode::NOT_FOUND,
        ActRefusal::IdReused
        | ActRefusal::Locked
        | ActRefusal::NotOverridable
        | ActRefusal::AlreadyDone
        | ActRefusal::TooLate
        | ActRefusal::Changed
        | ActRefusal::NotNewest
        | ActRefusal::NotInside
        | ActRefusal::NoReentry => StatusCode::CONFLICT,
    }
}

fn words(refusal: ActRefusal) -> &'static str {
    match refusal {
        ActRefusal::IdReused => "the act id was used before, for something else",
        ActRefusal::TooMany(_) => {
            "this person has done as many acts as the venue allows within an hour"
        }
        ActRefusal::Locked => {
            "nobody decides at this node at present: follow the venue's procedure"
        }
        ActRefusal::CoreNeeded => "guests leave only while the core decides; nothing was recorded",
        ActRefusal::UnknownScan => "this node has no decision about that scan",
        ActRefusal::UnknownTicket => "this node does not know that ticket",
        ActRefusal::NotOverridable => {
            "only a refusal as used or as too early is overridden, at the gate that refused"
        }
        ActRefusal::AlreadyDone => "that was done before",
        ActRefusal::TooLate => "that is too long ago",
        ActRefusal::Changed => "something about the ticket has changed: scan it again",
        ActRefusal::NotNewest => "only the newest admission of this scanner can be undone",
        ActRefusal::NotInside => "nobody is inside with that ticket",
        ActRefusal::NoReentry => "whoever leaves this performance does not come back",
        ActRefusal::GateNotAllowed => "this node may not decide for that gate",
    }
}

/// The roles that may, as they are written.
fn allowed(may: Acting) -> String {
    let roles = StaffRole::ALL.into_iter().filter(|role| may(*role));
    let names: Vec<_> = roles.map(StaffRole::name).collect();
    names.join(", ")
}

impl From<NoAct> for ApiError {
    fn from(reason: NoAct) -> Self {
        match reason {
            NoAct::Refused(refusal) => Self::ActRefused(refusal),
            NoAct::Busy => Self::Busy,
            NoAct::Stopping => Self::NodeFault,
        }
    }
}

impl From<NoVerdict> for ApiError {
    fn from(reason: NoVerdict) -> Self {
        match reason {
            NoVerdict::Busy => Self::Busy,
            NoVerdict::ScanIdConflict => Self::ScanIdConflict,
            NoVerdict::Stopping => Self::NodeFault,
        }
    }
}

impl From<NoSearch> for ApiError {
    fn from(reason: NoSearch) -> Self {
        match reason {
            NoSearch::Off => Self::SearchOff,
            NoSearch::Locked => Self::SearchLocked,
            NoSearch::Busy => Self::Busy,
        }
    }
}

/// The code of a refusal, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused(pub(super) &'static str);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let error = ErrorDetail {
            code: code.to_owned(),
            message: self.to_string(),
            details: self.details(),
            correlation_id: correlation(),
        };
        let mut response = (status, Json(ErrorBody { error })).into_response();
        response.extensions_mut().insert(Refused(code));
        if let Some(seconds) = self.retry_after() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(super) async fn not_found() -> ApiError {
    ApiError::NotFound
}

pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

/// A panic in a handler is a defect. It is logged and answered like any other error.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that the layer asks for"
)]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(
        code = "lan.handler_panicked",
        error = message.unwrap_or("without a message"),
        "a request handler panicked"
    );
    ApiError::Internal.into_response()
}

#[cfg(test)]
mod tests {
    use eventify_protocol::ids::GateId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_field_that_is_refused_comes_with_what_is_taken() {
        let north = NamedGate {
            gate_id: GateId(Uuid::from_u128(7)),
            name: "North".to_owned(),
        };
        for (error, field, wanted) in [
            (
                ApiError::BadPublicKey,
                "publicKey",
                "must be an Ed25519 key",
            ),
            (
                ApiError::BadLabel { chars: 65 },
                "label",
                "must have 1 to 64 printable characters; given: 65",
            ),
            (
                ApiError::BadLabel { chars: 3 },
                "label",
                "given: 3, with some that can't be shown",
            ),
            (
                ApiError::BadSearchText { chars: 1 },
                "text",
                "must have 2 to 60 printable characters; given: 1",
            ),
            (ApiError::PinMalformed, "pin", "must have 6 digits"),
            (
                ApiError::PinTooSimple,
                "pin",
                "must not be one that everybody",
            ),
            (ApiError::ReasonNeeded, "reason", "is required: an object"),
            (
                ApiError::BadNote { chars: 121 },
                "reason.note",
                "must have 1 to 120 printable characters; given: 121",
            ),
            (
                ApiError::BadNote { chars: 0 },
                "reason.note",
                "is required beside the code 'other'",
            ),
            (
                ApiError::GateNotAllowed(vec![north]),
                "gateId",
                "must be one of 00000000-0000-0000-0000-000000000007 (North)",
            ),
            (
                ApiError::GateNotAllowed(vec![]),
                "gateId",
                "this scanner may scan for no gate",
            ),
            (
                ApiError::ActRefused(ActRefusal::GateNotAllowed),
                "gateId",
                "must be a gate of this node",
            ),
        ] {
            let details = error.details();
            let said: Vec<_> = details.iter().map(|it| it.field.as_str()).collect();
            assert_eq!(said, [field], "{error}");
            assert!(
                details[0].issue.starts_with(wanted) || details[0].issue.ends_with(wanted),
                "{details:?}"
            );
        }
    }
}
