//! What happens before and around every handler: correlation id, rate limit, token, policy,
//! idempotency key; and afterwards the error body.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use eventify_protocol::ids::CorrelationId;
use tracing::Instrument;
use uuid::Uuid;

use super::caller::{Caller, IdempotencyKey};
use super::places::Places;
use super::policy::{KeyRule, Policy, Rate};
use super::rate_limit::{Flood, Payer};
use super::routes::RouteInfo;
use super::{ApiError, address, error, replay};
use crate::app::App;
use crate::auth::{AuthError, Principal};
use crate::cause::Cause;

const CORRELATION: &str = "x-correlation-id";
const IDEMPOTENCY: &str = "idempotency-key";
/// Longest `Idempotency-Key`.
const MAX_KEY: usize = 255;
/// Longest name of a parameter that an error repeats, in characters.
const MAX_NAME: usize = 64;

/// A route with what its guard needs to know.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
    pub(super) app: App,
    pub(super) context: &'static str,
    pub(super) info: Arc<RouteInfo>,
    /// Of a public route.
    pub(super) places: Option<Places>,
}

/// Outermost: gives the request its correlation id and span, and errors their body.
pub(super) async fn correlate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = header(request.headers(), CORRELATION).and_then(|text| text.parse().ok());
    let correlation = given.unwrap_or_else(|| CorrelationId(app.clock.new_id()));
    let cause = Cause::of(correlation).traced(
        header(request.headers(), "traceparent"),
        header(request.headers(), "tracestate"),
    );
    let span = tracing::info_span!(
        "request",
        correlation_id = %correlation,
        method = %request.method(),
        route = tracing::field::Empty,
    );
    request.extensions_mut().insert(cause);
    let began = app.clock.instant();
    async move {
        let mut response = error::finish(next.run(request).await, correlation);
        if let Ok(value) = HeaderValue::from_str(&correlation.to_string()) {
            response.headers_mut().insert(CORRELATION, value);
        }
        log_answer(&app, &response, began);
        response
    }
    .instrument(span)
    .await
}

/// What nobody counts, strangers can send without end: their lines are few.
fn log_answer(app: &App, response: &Response, began: Instant) {
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, now) = (response.status(), app.clock.instant());
    let is_counted = response.extensions().get::<Counted>().is_some() || status.is_server_error();
    if status == StatusCode::TOO_MANY_REQUESTS {
        if let Some(suppressed) = app.rate_limiter.permit_line(Flood::TooOften, now) {
            tracing::info!(
                code = "http.asked_too_often",
                suppressed,
                "a request was refused: too many come of one caller"
            );
        }
        return;
    }
    let suppressed = match is_counted {
        true => Some(0),
        false => app.rate_limiter.permit_line(Flood::Uncounted, now),
    };
    if let Some(suppressed) = suppressed {
        tracing::info!(
            code = "http.answered",
            status = status.as_u16(),
            duration_ms,
            suppressed,
            "a request was answered"
        );
    }
}

/// Of the path only what the route says and ids: the rest of it may be a ticket's code, a name, a secret.
fn named(route: &str, path: &str) -> String {
    let segment = |(name, given): (&str, &str)| {
        let is_id = name.starts_with('{') && given.parse::<Uuid>().is_ok();
        if is_id {
            given.to_owned()
        } else {
            name.to_owned()
        }
    };
    let segments = route.split('/').zip(path.split('/')).map(segment);
    segments.collect::<Vec<_>>().join("/")
}

/// A mark of the answers of routes that have a rate.
#[derive(Clone, Copy, Debug)]
struct Counted;

/// Around each route: rate limit, token, policy, idempotency.
pub(super) async fn guard(State(route): State<Guarded>, request: Request, next: Next) -> Response {
    let name = named(route.info.path, request.uri().path());
    tracing::Span::current().record("route", name);
    let is_counted = route.info.policy.rate != Rate::Unlimited;
    let mut response = admitted(route, request, next).await;
    if is_counted {
        response.extensions_mut().insert(Counted);
    }
    response
}

async fn admitted(route: Guarded, mut request: Request, next: Next) -> Response {
    // The body can't be shared between threads, so only what is needed is taken along.
    let headers = request.headers().clone();
    let address = client_address(&route.app, &request);
    let cause = request.extensions().get::<Cause>().cloned();
    let cause = cause.unwrap_or_else(|| Cause::fresh(&route.app.clock));
    let target = format!("{} {}", request.method(), request.uri().path());
    let admitted = admit(&route, &headers, (address, target), cause).await;
    let checked = admitted.and_then(|caller| {
        refuse_query(&route.info.policy, request.uri().query())?;
        Ok(caller)
    });
    let caller = match checked {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    request.extensions_mut().insert(caller.clone());
    match (&caller.key, &caller.principal) {
        (Some(key), Some(principal)) => {
            let (user, key, cause) = (principal.user_id, key.clone(), caller.cause.clone());
            replay::once(route, user, key, cause, request, next).await
        }
        (None, _) | (_, None) => match route.places.as_ref().map(Places::take).transpose() {
            Ok(None) => next.run(request).await,
            Ok(Some(place)) => place.until_sent(next.run(request).await),
            Err(busy) => busy.into_response(),
        },
    }
}

/// Parameters that nobody would read. What other programs call by an address that we don't choose, probes
/// and webhooks, may have some.
fn refuse_query(policy: &Policy, query: Option<&str>) -> Result<(), ApiError> {
    let Some(query) = query.filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    if policy.query || policy.rate == Rate::Unlimited {
        return Ok(());
    }
    let name = query.split(['=', '&']).next().unwrap_or_default();
    let name: String = name.chars().take(MAX_NAME).collect();
    let issue = format!("parameter '{name}' is unknown; this route takes none");
    Err(ApiError::invalid("query", issue))
}

async fn admit(
    route: &Guarded,
    headers: &HeaderMap,
    (address, target): (IpAddr, String),
    cause: Cause,
) -> Result<Caller, ApiError> {
    let policy = &route.info.policy;
    let app = &route.app;
    let principal = match policy.wants_token() {
        true => authenticate(app, headers).await,
        false => Ok(None),
    };
    let payer = match &principal {
        Ok(Some(who)) => Payer::User(who.user_id),
        Err(fault) if fault.status().is_server_error() => return Err(fault.clone()),
        // A bad token buys no more attempts than none.
        Ok(None) | Err(_) => Payer::Address(address::counted(address)),
    };
    app.rate_limiter
        .take(payer, policy.rate, app.clock.now())
        .map_err(|seconds| {
            ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "too many requests",
            )
            .retry_after(seconds)
        })?;
    let principal = principal?;
    policy.admit(principal.as_ref())?;
    let key = idempotency_key(headers, policy.key)?;
    let key = key.map(|text| IdempotencyKey {
        text,
        user: principal.as_ref().map_or(Uuid::nil(), |who| who.user_id),
        target,
    });
    Ok(Caller {
        principal,
        cause,
        key,
        address,
    })
}

async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Option<Principal>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        // A proxy in front of us may have believed the other one.
        return Err(ApiError::invalid("Authorization", "must be sent once"));
    }
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| ApiError::unauthenticated("Authorization must be 'Bearer <token>'"))?;
    match app.auth.verify(token, app.clock.now()).await {
        Ok(claims) => Ok(Some(app.users.principal(app, claims).await?)),
        Err(AuthError::KeysUnavailable(reason)) => {
            tracing::debug!(error = %reason, "the identity provider gave no keys");
            Err(ApiError::unavailable(
                "the identity provider doesn't answer; try again",
            ))
        }
        Err(refused @ AuthError::Refused(_)) => Err(ApiError::unauthenticated(refused.to_string())),
    }
}

/// A key that can't be read is refused and not left out: its sender relies on it.
fn idempotency_key(headers: &HeaderMap, rule: KeyRule) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY).iter();
    match (values.next(), rule) {
        (_, KeyRule::Ignored) | (None, KeyRule::Accepted) => Ok(None),
        (None, KeyRule::Required) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_required",
            "send an Idempotency-Key header",
        )
        .field("Idempotency-Key", "required")),
        (Some(value), KeyRule::Required | KeyRule::Accepted) => {
            if values.next().is_some() {
                return Err(ApiError::invalid("Idempotency-Key", "must be sent once"));
            }
            let key = value.to_str().unwrap_or_default();
            if key.is_empty() || key.len() > MAX_KEY {
                return Err(ApiError::invalid(
                    "Idempotency-Key",
                    "must be 1 to 255 characters of ASCII",
                ));
            }
            Ok(Some(key.to_owned()))
        }
    }
}

/// The peer, or behind trusted proxies the address that they forward.
fn client_address(app: &App, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(peer)| peer.ip());
    address::client(peer, request.headers(), &app.config.http.trusted_proxies)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_by_its_route_and_its_ids_and_keeps_the_rest_to_itself() {
        let id = "01a22511-fa05-766a-b0c1-f4c4134240d0";
        let order = format!("/orders/{id}/tickets");
        for (route, path, name) in [
            ("/health/live", "/health/live", "/health/live"),
            ("/orders/{orderId}/tickets", &order, &order),
            (
                "/tickets/{ticketId}/token",
                "/tickets/EV1%3ASECRET/token",
                "/tickets/{ticketId}/token",
            ),
            (
                "/orders/{orderId}",
                "/orders/alice@example.com",
                "/orders/{orderId}",
            ),
        ] {
            assert_eq!(named(route, path), name);
        }
    }
}
