//! The HTTPS API on the venue's LAN (`eventify_protocol::lan`): scanners send requests, the owner
//! decides.
//!
//! | file | what |
//! |---|---|
//! | `server`, `certificate` | TLS, connections and their timeouts |
//! | `connections`, `per_address_limit` | who has proven what on which connection, and limits on those that have proven nothing |
//! | `scanners/` | the paired scanners, on disk |
//! | `auth/` | who sends a request: signatures, access tokens, quotas |
//! | `administration`, `line` | what people do with scanners; the core's list and its orders |
//! | `staff/` | PINs, shifts and rights of those who work here |
//! | `routes/` | one file for each route |
//! | `guests/` | looking for guests |
//! | `reading`, `pace` | long reads beside the owner; how fast the gates are |
//! | `typed_codes` | a limit on short codes that are no ticket's |
//! | `request`, `error` | correlation id and body; the one error body |
//!
//! Deliberately absent: any decision to admit, and any logging of tokens or labels.

mod administration;
mod auth;
mod certificate;
mod connections;
mod error;
mod guests;
pub(crate) mod line;
mod misfit;
mod pace;
mod per_address_limit;
mod reading;
mod request;
mod routes;
mod scanners;
mod server;
mod staff;
mod typed_codes;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use eventify_log::LogThrottle;
use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, NodeId, ScannerId, VenueId},
    lan::{NodeStatus, PairingCode, VenueCounts},
    time::BootTime,
};
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, config::LanConfig, owner::Handle};

pub use administration::{ListedScanner, UnknownGate};
pub(crate) use administration::{find_gates, list};
pub use auth::CODE_LIFE;
pub(crate) use guests::forget as forget_guests;
pub use scanners::ScannerError;
pub(crate) use scanners::{Edit, MAX_LABEL_CHARS, Pairings, Scanners, clean_label};
pub(crate) use server::Bound;
pub use server::LanError;
pub(crate) use staff::{Staff, keep as keep_staff};

use auth::{AccessTokens, Nonces, PairingCodes, Quotas};
use connections::Connections;
use guests::Searches;
use pace::Paces;
use reading::Reads;
use routes::OpenStreams;
use typed_codes::TypedCodes;

/// Refused requests of which each has a line in the log.
const REFUSED_AT_ONCE: u32 = 100;
/// Beyond these, one has.
const REFUSED_EVERY: Duration = Duration::from_secs(1);

/// What every request can reach.
#[derive(Debug)]
pub(crate) struct Lan {
    node: NodeId,
    venue: VenueId,
    clock: Clock,
    owner: Handle,
    scanners: Scanners,
    access_tokens: Mutex<AccessTokens>,
    nonces: Mutex<Nonces>,
    pairing_codes: Mutex<PairingCodes>,
    quotas: Mutex<Quotas>,
    /// Log lines about requests that were refused.
    refusals: Mutex<LogThrottle<BootTime>>,
    /// Texts that are no tickets, of each scanner since the start.
    unreadable: Mutex<HashMap<ScannerId, u64>>,
    streams: OpenStreams,
    connections: Arc<Connections>,
    typed_codes: Mutex<TypedCodes>,
    staff: Staff,
    paces: Mutex<Paces>,
    reads: Reads,
    searches: Mutex<Searches>,
    endpoint: Endpoint,
    /// Ends the streams.
    stop: CancellationToken,
}

/// How scanners reach this node, and the key that proves it to them.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) key: Hash32,
}

impl Lan {
    pub(crate) fn new(
        (node, venue): (NodeId, VenueId),
        clock: Clock,
        owner: Handle,
        (scanners, staff): (Scanners, Staff),
        (endpoint, limits): (Endpoint, &LanConfig),
        stop: CancellationToken,
    ) -> Self {
        let connections = Connections::new(
            limits.max_connections,
            limits.max_unauthenticated_per_address,
        );
        let quotas = Quotas::new(limits.requests_per_second, limits.request_burst);
        Self {
            node,
            venue,
            clock,
            owner,
            scanners,
            access_tokens: Mutex::default(),
            nonces: Mutex::new(Nonces::new()),
            pairing_codes: Mutex::default(),
            quotas: Mutex::new(quotas),
            refusals: Mutex::new(LogThrottle::bursts(REFUSED_EVERY, REFUSED_AT_ONCE)),
            unreadable: Mutex::default(),
            streams: OpenStreams::default(),
            connections,
            typed_codes: Mutex::default(),
            staff,
            paces: Mutex::default(),
            reads: Reads::default(),
            searches: Mutex::default(),
            endpoint,
            stop,
        }
    }

    /// A new one-time code for one scanner; `gates` narrows what it may scan for.
    pub(crate) fn pairing_code(&self, gates: Option<Vec<GateId>>) -> PairingCode {
        let secret = locked(&self.pairing_codes).issue(gates, self.clock.boottime());
        PairingCode {
            node: self.endpoint.url.clone(),
            key: self.endpoint.key,
            secret,
        }
    }

    pub(crate) async fn status(&self) -> Result<NodeStatus, crate::owner::NoVerdict> {
        self.owner.status().await
    }

    /// How many are inside.
    pub(crate) async fn counts(&self) -> Result<VenueCounts, String> {
        let counts = routes::of_venue(self).await;
        counts.map_err(|error| error.to_string())
    }
}

/// A mutex of this module guards plain data that no panic can leave half changed.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
