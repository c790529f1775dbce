//! The HTTPS API on the venue's LAN (`eventify_protocol::lan`): scanners ask, the owner answers.
//!
//! | file | what |
//! |---|---|
//! | `server` | TLS, connections and their limits |
//! | `stranger`, `places` | connections that have proven nothing, and who may have how many |
//! | `streams` | how many streams a scanner may have |
//! | `auth` | who asks: signed requests, access tokens |
//! | `pairings`, `tokens`, `scans`, `status` | the routes |
//! | `scanners`, `access`, `nonces`, `codes` | what pairing and access are remembered by |
//! | `error`, `seldom` | the one error body; lines that are not written too often |
//!
//! Deliberately not here: any decision to admit, and any logging of tokens or labels.

mod access;
mod auth;
mod certificate;
mod codes;
mod error;
mod nonces;
mod pairings;
mod places;
mod request;
mod scanners;
mod scans;
mod seldom;
mod server;
mod status;
mod stranger;
mod streams;
mod tokens;

use std::sync::{Arc, Mutex};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, NodeId, VenueId},
    lan::{NodeStatus, PairingCode},
};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{clock::Clock, owner::Handle};

pub use codes::CODE_LIFE;
pub use scanners::ScannerError;
pub(crate) use scanners::Scanners;
pub(crate) use server::Bound;
pub use server::LanError;

use access::AccessTokens;
use codes::Codes;
use nonces::Nonces;
use streams::Streams;

/// What every request can reach.
#[derive(Debug)]
pub(crate) struct Lan {
    node: NodeId,
    venue: VenueId,
    clock: Clock,
    owner: Handle,
    scanners: Scanners,
    access: Mutex<AccessTokens>,
    nonces: Mutex<Nonces>,
    codes: Mutex<Codes>,
    streams: Streams,
    /// Where scanners reach this node, and by which key they know it.
    place: Place,
    /// Ends the streams.
    stop: CancellationToken,
}

/// What a pairing code says of the node.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) key: Hash32,
}

impl Lan {
    pub(crate) fn new(
        (node, venue): (NodeId, VenueId),
        clock: Clock,
        owner: Handle,
        scanners: Scanners,
        place: Place,
        stop: CancellationToken,
    ) -> Self {
        Self {
            node,
            venue,
            clock,
            owner,
            scanners,
            access: Mutex::default(),
            nonces: Mutex::new(Nonces::new()),
            codes: Mutex::default(),
            streams: Streams::default(),
            place,
            stop,
        }
    }

    /// A new one-time code for one scanner; `gates` narrows what it may scan for.
    pub(crate) fn pairing_code(&self, gates: Option<Vec<GateId>>) -> PairingCode {
        let secret = locked(&self.codes).issue(gates, self.clock.boottime());
        PairingCode {
            node: self.place.url.clone(),
            key: self.place.key,
            secret,
        }
    }

    /// How the node is, now.
    pub(crate) async fn status(&self) -> Result<NodeStatus, crate::owner::NoVerdict> {
        self.owner.status().await
    }
}

/// All routes.
pub(crate) fn router(lan: Arc<Lan>) -> Router {
    let signed = Router::new()
        .route("/v1/scans", post(scans::scan))
        .route("/v1/status", get(status::status))
        .route("/v1/stream", get(status::stream))
        .route("/v1/tokens", post(tokens::issue))
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
        .layer(middleware::from_fn(request::correlate))
        .with_state(lan)
}

/// A mutex of this module guards plain data that no panic can leave half changed.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
