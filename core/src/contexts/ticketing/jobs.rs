//! What time makes ticketing do.

use std::time::Duration;

use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};
use tokio_util::sync::CancellationToken;

use super::{App, NAME, acts, store};

pub(crate) const ISSUE_MISSING: Job = Job::of(NAME, "issue_missing");
const STATE_TICKETS: Job = Job::of(NAME, "state_tickets");
const GIVE_CODES: Job = Job::of(NAME, "give_codes");
const FORGET_SCANS: Job = Job::of(NAME, "forget_scans");
pub(crate) const WATCH_KEYS: Job = Job::of(NAME, "watch_keys");

/// Safety net behind the wakes.
const ISSUE_EVERY: Duration = Duration::from_secs(5);
/// How often it is checked whether statements are due.
const STATE_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked for tickets that the release before has issued, while it still runs.
const CODES_EVERY: Duration = Duration::from_secs(60);
/// Sooner than processes are restarted.
const WATCH_EVERY: Duration = Duration::from_secs(6 * 3_600);
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// Pause after a failed attempt to publish the key set.
const KEYS_RETRY: Duration = Duration::from_secs(1);

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(ISSUE_EVERY, ISSUE_MISSING, issue_missing)
        .every(STATE_EVERY, STATE_TICKETS, state_tickets)
        .every(CODES_EVERY, GIVE_CODES, give_codes)
        .every(WATCH_EVERY, WATCH_KEYS, watch_keys)
        .every(FORGET_EVERY, FORGET_SCANS, forget_scans)
        .service(publish_keys)
}

/// Issues tickets that are late. The orders themselves are the queue, and no tasks: a new
/// performance, a new key or a free seat makes all of them due at once.
async fn issue_missing(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(acts::issuing::issue_missing(app, cause).await?)
}

async fn state_tickets(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(acts::statements::state_due_venues(app, cause).await?)
}

async fn give_codes(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(acts::codes::give_missing(app, cause).await?)
}

/// Reminds of the next ticket key long before the programme reaches the end of this one.
async fn watch_keys(app: &App, _: &Cause) -> Result<(), Failure> {
    Ok(acts::keys::watch(app).await?)
}

/// Deletes refusals and repeats of long ago.
async fn forget_scans(app: &App, _: &Cause) -> Result<(), Failure> {
    let before = app.clock.now() - app.state.settings.keep_scans();
    let mut conn = app.db.read(NAME).await?;
    while store::delete_scans(&mut conn, before).await? {}
    Ok(())
}

/// Puts the keys that this process has read into force, once. Keys change with a restart.
async fn publish_keys(app: App, stop: CancellationToken) {
    let publishing = async {
        while let Err(error) = acts::keys::publish(&app, &Cause::fresh(&app.clock)).await {
            tracing::error!(code = "ticketing.key_set_not_published", %error,
                "the key set could not be published; trying again");
            tokio::time::sleep(KEYS_RETRY).await;
        }
    };
    stop.run_until_cancelled(publishing).await;
    stop.cancelled().await;
}
