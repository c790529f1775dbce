//! What time makes ticketing do.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::contexts::ticketing::App;
use crate::contexts::ticketing::api;
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;

/// Orders that a run of the job takes on.
const ORDERS_AT_ONCE: u16 = 200;
/// Pause after a try to publish the key set that failed.
const KEYS_RETRY: Duration = Duration::from_secs(1);

/// Issues tickets that are late.
pub(super) async fn issue_missing(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(api::issuing::issue_missing(app, cause, ORDERS_AT_ONCE).await?)
}

/// States the tickets of venues whose feed is due to be compared with them.
pub(super) async fn state_tickets(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(api::statements::state_due(app, cause).await?)
}

/// Puts the keys that this process has read into force, once. Keys change with a restart.
pub(super) async fn publish_keys(app: App, stop: CancellationToken) {
    let publishing = async {
        while let Err(error) = api::keys::publish(&app, &Cause::fresh(&app.clock)).await {
            tracing::error!(%error, "key set not published");
            tokio::time::sleep(KEYS_RETRY).await;
        }
    };
    stop.run_until_cancelled(publishing).await;
    stop.cancelled().await;
}
