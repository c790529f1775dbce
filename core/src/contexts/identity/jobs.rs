//! What time makes identity do.

use std::time::Duration;

use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};

use super::acts::issuers;
use super::{App, NAME};

const WATCH_ISSUERS: Job = Job::of(NAME, "watch_issuers");

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new().every(Duration::from_secs(60), WATCH_ISSUERS, watch_issuers)
}

async fn watch_issuers(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(issuers::watch(app, cause).await?)
}
