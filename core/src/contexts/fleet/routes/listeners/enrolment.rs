//! `POST /fleet/enrolments` and `/fleet/renewals`, on a TLS listener whose certificate the device authority has signed:
//! an enrolment code names that authority, so a node can verify the server before it sends anything.

use std::net::SocketAddr;

use axum::extract::State;
use chrono::TimeDelta;
use eventify_kernel::context::Listening;
use eventify_kernel::http::{self, Answer, Caller, Json, Policy, Routes, StatusCode};
use eventify_protocol::enrolment::{
    EnrolmentAnswer, EnrolmentRequest, RenewalAnswer, RenewalRequest,
};
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::ListenError;
use super::tls::{self, Identity};
use crate::contexts::fleet::acts::{enrolment, renewal};
use crate::contexts::fleet::{App, NAME};

/// The listener's certificate is made anew at each start, and when half of this is over.
const CERTIFICATE_LIFE: TimeDelta = TimeDelta::days(30);
/// Connections at once: nodes are enrolled seldom, and anybody may connect.
const MAX_CONNECTIONS: usize = 256;
/// A venue's nodes may share an address.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 32;

/// What nodes without a certificate that is in force can ask for.
#[must_use]
pub fn routes() -> Routes<App> {
    Routes::new()
        .post(
            "/fleet/enrolments",
            Policy::proof("the secret of an enrolment code").key_ignored(),
            enrol,
        )
        .post(
            "/fleet/renewals",
            Policy::proof("the key that the node enrolled with").key_ignored(),
            renew,
        )
}

async fn enrol(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<EnrolmentRequest>,
) -> Answer<(StatusCode, Json<EnrolmentAnswer>)> {
    let answer = enrolment::enrol(&app, &caller.cause, &request).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn renew(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<RenewalRequest>,
) -> Answer<Json<RenewalAnswer>> {
    Ok(Json(renewal::renew(&app, &caller.cause, &request).await?))
}

/// Opens the listener.
pub(super) async fn open(
    app: &App,
    address: SocketAddr,
    stop: CancellationToken,
) -> Result<Listening, ListenError> {
    let failed = |error| ListenError::Bind("fleet.enrolment_listen", error);
    let server = http::bind(address).await.map_err(failed)?;
    let address = server.address;
    let _set_once = app.state.enrolment_address.set(address);
    let router = http::router(app, [(NAME, routes().capture(&app.state))])?;
    let mut identity = Identity::new(app.clone(), certify)?;
    let server = server.with_tls(Box::new(move || identity.acceptor()));
    tracing::info!(
        code = "fleet.enrolment_listening",
        %address,
        "listening for enrolments"
    );
    let mut config = app.config.http.clone();
    config.max_connections = config.max_connections.min(MAX_CONNECTIONS);
    let of_address = &mut config.max_connections_per_address;
    *of_address = (*of_address).min(MAX_CONNECTIONS_PER_ADDRESS);
    let (limits, grace) = ((config, app.clock.clone()), app.config.process.stop_grace());
    let serving = async move { server.run(router, limits, stop, grace).await }.boxed();
    Ok(Listening {
        name: "enrolment",
        address,
        serving,
    })
}

/// A certificate for the host by which nodes reach the listener. One that ends with its authority is
/// the longest that there is.
fn certify(app: &App) -> Result<tls::Certified, ListenError> {
    let authority = app.state.authority();
    let authority = authority.map_err(|error| ListenError::Certificate(error.to_string()))?;
    let now = app.clock.now();
    let until = now + CERTIFICATE_LIFE;
    let identity = authority.certify_listener(&host(app), app.clock.new_id(), now, until)?;
    let renew_at = (identity.ends_at == until).then(|| now + CERTIFICATE_LIFE / 2);
    Ok(tls::Certified { identity, renew_at })
}

/// The host of the configured URL, or of the listener's own address.
fn host(app: &App) -> String {
    let configured = app.state.settings.enrolment_url().and_then(|url| {
        let authority = url.strip_prefix("https://")?.split('/').next()?;
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            Some(_) | None => authority,
        };
        Some(host.trim_matches(['[', ']']).to_owned())
    });
    let bound = app.state.enrolment_address.get();
    configured
        .or_else(|| bound.map(|address| address.ip().to_string()))
        .unwrap_or_else(|| "localhost".to_owned())
}
