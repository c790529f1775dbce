//! A ticket's token as text and QR code, and the short code that stands for it, for its holder alone.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
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
use crate::contexts::ticketing::model::{Refused, Ticket};

/// The short code beside a token's text.
const SHORT_CODE: HeaderName = HeaderName::from_static("eventify-short-code");

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let show = Policy::roles(HOLDERS).owner("ticket.customer_id");
    routes
        .get("/tickets/{ticket_id}/token", show, token)
        .get("/tickets/{ticket_id}/qr.png", show, qr_png)
        .get("/tickets/{ticket_id}/qr.svg", show, qr_svg)
}

/// The text of the QR code; the short code is in a header beside it.
async fn token(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Response> {
    let ticket = ticket_of_holder(&app, &caller, id).await?;
    let short_code = shown_code(&ticket);
    let mut response = secret("text/plain; charset=utf-8", ticket.token);
    if let Some(code) = short_code {
        let code = HeaderValue::try_from(code).map_err(ApiError::internal)?;
        response.headers_mut().insert(SHORT_CODE, code);
    }
    Ok(response)
}

async fn qr_png(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Response> {
    let ticket = ticket_of_holder(&app, &caller, id).await?;
    let png = qr::png(&ticket.token, picture(&ticket)).map_err(ApiError::internal)?;
    Ok(secret("image/png", png))
}

async fn qr_svg(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Response> {
    let ticket = ticket_of_holder(&app, &caller, id).await?;
    let svg = qr::svg(&ticket.token, picture(&ticket)).map_err(ApiError::internal)?;
    Ok(secret("image/svg+xml", svg))
}

/// Whoever has the token can use the ticket: only its holder gets it, whatever the caller's role.
async fn ticket_of_holder(app: &App, caller: &Caller, id: TicketId) -> Answer<Ticket> {
    let ticket = acts::tickets::find(app, id).await?;
    if !holds(caller, &ticket)? {
        return Err(ApiError::forbidden("this ticket belongs to somebody else"));
    }
    match ticket.validity() {
        Validity::Revoked => Err(ApiError::gone("ticket_revoked", "the ticket was revoked")),
        Validity::Suspended => Err(Error::Refused(Refused::Suspended).into()),
        Validity::Valid => Ok(ticket),
    }
}

fn secret(kind: &'static str, body: impl IntoResponse) -> Response {
    let mut response = unstored(body);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// An answer that holds what admits.
pub(super) fn unstored(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let unstored = HeaderValue::from_static("private, no-store");
    response.headers_mut().insert(CACHE_CONTROL, unstored);
    response
}

/// The short code as its holder reads it; none while the ticket admits nobody, as of its token.
pub(super) fn shown_code(ticket: &Ticket) -> Option<String> {
    let is_valid = ticket.validity() == Validity::Valid;
    let code = ticket.code.filter(|_| is_valid)?;
    Some(code.code.to_string())
}

fn picture(ticket: &Ticket) -> qr::Options {
    let plain = qr::Options::default();
    ticket.code.map_or(plain, |it| plain.captioned(it.code))
}

pub(super) fn qr_url(ticket: &Ticket) -> Answer<String> {
    let png = qr::png(&ticket.token, picture(ticket)).map_err(ApiError::internal)?;
    Ok(format!("data:image/png;base64,{}", BASE64.encode(png)))
}
