//! The HTTP server: one table of routes with their policies, one error body, one way in.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::db::Work;

mod address;
mod caller;
mod cors;
mod error;
mod etag;
mod fields;
mod guard;
pub mod health;
mod json;
mod listing;
mod misfit;
mod paced;
mod paging;
mod places;
pub mod policy;
pub mod rate_limit;
mod reads;
mod reference;
mod replay;
mod representation;
mod routes;
mod server;
mod shape;
mod shares;

pub use address::Network;
pub use axum::http::StatusCode;
pub use caller::{Caller, IdempotencyKey};
pub use cors::is_origin;
pub use error::ApiError;
pub use etag::{IfMatch, etag};
pub use fields::{GivenTime, Words, not_null};
pub use json::{Json, Path, Query};
pub use listing::listing;
pub use misfit::shown;
pub use paging::{Paged, Paging};
pub use policy::Policy;
pub use reads::{Part, Reads};
pub use reference::{Reference, fields, open_api, reference_route};
pub use representation::{Conditional, Representation, Unwritable};
pub use routes::{RouteInfo, Routes};
pub use server::{Acceptors, Server, bind};
pub use shape::{Field, Shape};

/// What every handler answers.
pub type Answer<T> = Result<T, ApiError>;

/// Two routes with the same method and path.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} is registered twice")]
pub struct DoubleRoute {
    method: axum::http::Method,
    path: &'static str,
}

/// Assembles the router from the contexts' tables.
///
/// # Errors
/// [`DoubleRoute`].
pub fn router(
    app: &App,
    tables: impl IntoIterator<Item = (&'static str, Routes)>,
) -> Result<Router, DoubleRoute> {
    let mut seen = HashSet::new();
    let mut router = Router::new();
    let places = places::Places::new(app.config.http.anonymous_at_once);
    for (context, Routes(rows)) in tables {
        for (info, bind) in rows {
            if !seen.insert((info.method.clone(), info.path)) {
                return Err(DoubleRoute {
                    method: info.method,
                    path: info.path,
                });
            }
            let is_public = info.policy.is_limited_as_public();
            let guarded = guard::Guarded {
                app: app.clone(),
                context,
                info: Arc::new(info.clone()),
                places: is_public.then(|| places.clone()),
            };
            let work = if is_public {
                Work::Anonymous
            } else {
                Work::Ordinary
            };
            let handler = bind(app.for_work(work));
            let handler = handler.route_layer(from_fn_with_state(guarded, guard::guard));
            router = router.route(info.path, handler);
        }
    }
    let timeout = app.config.http.request_timeout();
    let router = router
        .layer(DefaultBodyLimit::max(app.config.http.max_body_bytes))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            timeout,
        ))
        .layer(CatchPanicLayer::new())
        .layer(map_response(no_sniffing));
    // Outside of the rest: a page reads its refusals too.
    let router = match cors::layer(&app.config.http.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    Ok(router.layer(from_fn_with_state(app.clone(), guard::correlate)))
}

async fn no_sniffing(mut response: Response) -> Response {
    let nosniff = axum::http::HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert("x-content-type-options", nosniff);
    response
}
