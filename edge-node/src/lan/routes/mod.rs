//! The routes, one file each.

mod acts;
mod counts;
mod open_streams;
mod pairings;
mod people;
mod scans;
mod searches;
mod shifts;
mod sign_ins;
mod status;
mod stream;
mod tokens;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{Lan, auth, error, request};

pub(super) use counts::of_venue;
pub(crate) use open_streams::OpenStreams;

/// All routes of the API.
pub(crate) fn router(lan: Arc<Lan>) -> Router {
    let signed = Router::new()
        .route("/v1/acts", post(acts::act))
        .route("/v1/counts", get(counts::counts))
        .route("/v1/scans", post(scans::scan))
        .route("/v1/searches", post(searches::search))
        .route("/v1/status", get(status::status))
        .route("/v1/stream", get(stream::stream))
        .route("/v1/tokens", post(tokens::issue))
        .route("/v1/people", get(people::list))
        .route("/v1/sign-ins", post(sign_ins::begin))
        .route("/v1/sign-ins/{id}", get(sign_ins::state))
        .route("/v1/pins", post(sign_ins::set_pin))
        .route("/v1/shifts", post(shifts::begin))
        .route(
            "/v1/shifts/current",
            get(shifts::current).delete(shifts::end),
        )
        .route("/v1/authorisations", post(shifts::authorise))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&lan),
            auth::authenticate,
        ));
    Router::new()
        .route("/v1/pairings", post(pairings::pair))
        .route("/v1/nonce", get(tokens::nonce))
        .merge(signed)
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&lan),
            request::correlate,
        ))
        .with_state(lan)
}
