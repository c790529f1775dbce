//! Lays out performances, ends expired holds, and publishes what is left.

use std::time::Duration;

use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};

use super::NAME;
use super::acts::{laying_out, release, stock};

pub(crate) const EXPIRE_HOLDS: Job = Job::of(NAME, "expire_holds");
pub(crate) const LAY_OUT: Job = Job::of(NAME, "lay_out");
pub(crate) const PUBLISH_AVAILABILITY: Job = Job::of(NAME, "publish_availability");

/// Holds ended in one transaction.
const HOLDS_PER_BATCH: usize = 200;
/// A request for a place of an expired hold doesn't wait for this: it ends the hold itself.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// The consumer's wake comes first.
const LAY_OUT_EVERY: Duration = Duration::from_secs(1);
const AVAILABILITY_EVERY: Duration = Duration::from_millis(250);

pub(super) fn jobs() -> Jobs {
    Jobs::new()
        .every(LAY_OUT_EVERY, LAY_OUT, lay_out)
        .every(EXPIRE_EVERY, EXPIRE_HOLDS, expire_holds)
        .every(
            AVAILABILITY_EVERY,
            PUBLISH_AVAILABILITY,
            publish_availability,
        )
}

async fn expire_holds(app: &App, cause: &Cause) -> Result<(), Failure> {
    while release::end_expired(app, cause, HOLDS_PER_BATCH).await? == HOLDS_PER_BATCH {}
    Ok(())
}

async fn lay_out(app: &App, _: &Cause) -> Result<(), Failure> {
    laying_out::take_turns(app).await
}

async fn publish_availability(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(stock::publish_availability(app, cause).await?)
}
