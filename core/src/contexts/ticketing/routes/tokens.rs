//! A ticket's token as text and QR code, for its holder alone.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use eventify_kernel::http::{Answer, ApiError, Caller, Path, Policy, Routes};
use eventify_protocol::ids::TicketId;
use eventify_protocol::qr;
use eventify_sync::core::Validity;

use super::tickets::{HOLDERS, holds};
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::acts::{self, Error};
use crate::contexts::ticketing::model::Refused;

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let show = Policy::roles(HOLDERS).owner("ticket.customer_id");
    routes
        .get("/tickets/{ticket_id}/token", show, token)
        .get("/tickets/{ticket_id}/qr.png", show, qr_png)
        .get("/tickets/{ticket_id}/qr.svg", show, qr_svg)
}

/// The text of the QR code.
async fn token(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Response> {
    let token = token_of_holder(&app, &caller, id).await?;
    Ok(secret("text/plain; charset=utf-8", token))
}

async fn qr_png(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Response> {
    let token = token_of_holder(&app, &caller, id).await?;
    let png = qr::png(&token, qr::Options::default()).map_err(ApiError::internal)?;
    Ok(secret("image/png", png))
}

async fn qr_svg(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Response> {
    let token = token_of_holder(&app, &caller, id).await?;
    let svg = qr::svg(&token, qr::Options::default()).map_err(ApiError::internal)?;
    Ok(secret("image/svg+xml", svg))
}

/// Whoever has the token can use the ticket: only its holder gets it, whatever the caller's role.
async fn token_of_holder(app: &App, caller: &Caller, id: TicketId) -> Answer<String> {
    let ticket = acts::tickets::find(app, id).await?;
    if !holds(caller, &ticket)? {
        return Err(ApiError::forbidden("this ticket belongs to somebody else"));
    }
    match ticket.validity() {
        Validity::Revoked => Err(ApiError::gone("ticket_revoked", "the ticket was revoked")),
        Validity::Suspended => Err(Error::Refused(Refused::Suspended).into()),
        Validity::Valid => Ok(ticket.token),
    }
}

fn secret(kind: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

pub(super) fn qr_url(token: &str) -> Answer<String> {
    let png = qr::png(token, qr::Options::default()).map_err(ApiError::internal)?;
    Ok(format!("data:image/png;base64,{}", BASE64.encode(png)))
}
