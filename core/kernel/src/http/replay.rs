//! Idempotency keys over HTTP (DECISIONS 21): claim, run, remember; or replay. An answer that holds
//! a secret is not kept: its repeat is answered anew, with what is true by then.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest as _, Request};
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tracing::Instrument;
use uuid::Uuid;

use super::caller::IdempotencyKey;
use super::guard::Guarded;
use super::policy::Kept;
use super::{ApiError, error, json};
use crate::cause::Cause;
use crate::db::idempotency::{self, Claim, Claimed, KeyOf, Stored};
use crate::supervision::caught;

/// Responses beyond this are not kept for replay.
const MAX_STORED_BYTES: usize = 1 << 20;
/// How often the claim of a running request is renewed within its lease.
const RENEWALS_IN_A_LEASE: u32 = 3;
/// A request that runs for ten leases is given up.
const MAX_RENEWALS: u32 = 10 * RENEWALS_IN_A_LEASE;
/// Headers that are part of the answer.
const KEPT_HEADERS: [&str; 3] = ["content-type", "location", "etag"];

/// Runs the request once for its key; a repeat gets the first response. It runs in a task of its
/// own: a client that hangs up, or a timeout, doesn't leave an effect without its answer.
pub(super) async fn once(
    route: Guarded,
    caller: Uuid,
    key: IdempotencyKey,
    cause: Cause,
    request: Request,
    next: Next,
) -> Response {
    // Read out here, where the timeout and the client's end reach it: nothing has an effect yet.
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    let body = match Bytes::from_request(request, &()).await {
        Ok(body) => body,
        Err(rejection) => {
            let refusal = json::refuse(rejection.status());
            return refusal.into_response();
        }
    };
    let running = async move { try_once(&route, caller, &key, &cause, (parts, body), next).await };
    match tokio::spawn(running.in_current_span()).await {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => refusal.into_response(),
        Err(broke) => ApiError::internal(broke).into_response(),
    }
}

async fn try_once(
    route: &Guarded,
    caller: Uuid,
    key: &IdempotencyKey,
    cause: &Cause,
    (parts, body): (Parts, Bytes),
    next: Next,
) -> Result<Response, ApiError> {
    let (app, info) = (&route.app, &route.info);
    let target = parts
        .uri
        .path_and_query()
        .map(|it| it.as_str().to_owned())
        .unwrap_or_default();
    let hash = Sha256::new()
        .chain_update(&target)
        .chain_update([0])
        .chain_update(&body)
        .finalize();
    let row = KeyOf {
        caller,
        route: format!("{} {}", info.method, info.path),
        key: key.text.clone(),
    };
    let now = app.clock.now();
    let lease = app.config.http.idempotency.lease();
    let mut conn = app.db.read(route.context).await?;
    let claim = idempotency::claim(&mut conn, row, &hash, now, now + lease).await?;
    drop(conn);
    let claimed = match claim {
        Claim::Ours(claimed) => claimed,
        Claim::Done(stored) => {
            if let Some(response) = replay(stored) {
                return Ok(response);
            }
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            return Ok(mark(error::finish(response, cause.correlation)));
        }
        Claim::OtherRequest => {
            return Err(ApiError::unprocessable(
                "idempotency_key_reused",
                "this Idempotency-Key was used for another request",
            ));
        }
        Claim::Running => {
            return Err(ApiError::conflict(
                "idempotency_in_progress",
                "the first request with this Idempotency-Key is still running",
            )
            .retry_after(1));
        }
    };
    let running = caught(next.run(Request::from_parts(parts, Body::from(body))));
    let response = tokio::select! {
        response = running => {
            response.unwrap_or_else(|panicked| ApiError::internal(panicked).into_response())
        }
        () = keep_claim(route, &claimed, lease) => {
            ApiError::unavailable("the request took too long; try again").into_response()
        }
    };
    let response = error::finish(response, cause.correlation);
    remember(route, &claimed, response).await
}

/// Renews a claim while its request runs, so that no repeat is begun beside it: the lease is for a
/// process that died. Ends when the request has taken so long that it waits for what never comes.
async fn keep_claim(route: &Guarded, claimed: &Claimed, lease: Duration) {
    let app = &route.app;
    for _ in 0..MAX_RENEWALS {
        tokio::time::sleep(lease / RENEWALS_IN_A_LEASE).await;
        let renewed = async {
            let mut conn = app.db.read(route.context).await?;
            idempotency::renew(&mut conn, claimed, app.clock.now() + lease).await
        };
        if let Err(error) = app.db.in_time(renewed).await {
            tracing::debug!(%error, "the claim of an idempotency key was not renewed");
        }
    }
}

/// What asks the client to try again is not kept: 5xx, and answers with `Retry-After`. The next
/// attempt, with the same key, is a new one.
async fn remember(
    route: &Guarded,
    claimed: &Claimed,
    response: Response,
) -> Result<Response, ApiError> {
    let mut conn = route.app.db.read(route.context).await?;
    if response.status().is_server_error() || response.headers().contains_key(RETRY_AFTER) {
        idempotency::give_up(&mut conn, claimed).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_STORED_BYTES)
        .await
        .map_err(ApiError::internal)?;
    let secret = parts.status.is_success() && route.info.policy.kept == Kept::Fact;
    let stored = Stored {
        status: parts.status.as_u16(),
        headers: kept(&parts.headers),
        body: (!secret).then(|| body.to_vec()),
    };
    idempotency::remember(&mut conn, claimed, &stored).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    KEPT_HEADERS
        .iter()
        .filter_map(|name| {
            let value = headers.get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        })
        .collect()
}

/// The answer as it was given; none if its body was not kept.
fn replay(stored: Stored) -> Option<Response> {
    let mut response = Response::new(Body::from(Bytes::from(stored.body?)));
    *response.status_mut() =
        StatusCode::from_u16(stored.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in stored.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Some(mark(response))
}

fn mark(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}
