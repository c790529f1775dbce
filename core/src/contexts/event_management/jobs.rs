//! What time makes event management do.

use std::time::Duration;

use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};

use super::{App, NAME, acts};

/// Publishes performances again that the release before has published.
const PUBLISH_WINDOWS: Job = Job::of(NAME, "publish_windows");

/// Tells organisers which of their shows are sold and declined.
pub(crate) const WATCH_DECLINED: Job = Job::of(NAME, "watch_declined");

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(Duration::from_secs(60), PUBLISH_WINDOWS, publish_windows)
        .every(Duration::from_secs(60), WATCH_DECLINED, watch_declined)
}

async fn watch_declined(app: &App, _: &Cause) -> Result<(), Failure> {
    Ok(acts::declined::watch_declined(app).await?)
}

async fn publish_windows(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(acts::moving::publish_windows(app, cause).await?)
}
