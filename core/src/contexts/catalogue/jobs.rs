//! Keeps the table of claims as small as what is taken.

use std::time::Duration;

use chrono::TimeDelta;
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};

use super::NAME;
use super::store::projections;

pub(crate) const DELETE_ENDED_CLAIMS: Job = Job::of(NAME, "delete_ended_claims");

/// An ended claim is kept this long: far beyond any delay of the message of its beginning.
const KEEP_ENDED: TimeDelta = TimeDelta::days(30);
const DELETE_EVERY: Duration = Duration::from_secs(3600);

pub(super) fn jobs() -> Jobs {
    Jobs::new().every(DELETE_EVERY, DELETE_ENDED_CLAIMS, delete_ended_claims)
}

async fn delete_ended_claims(app: &App, _: &Cause) -> Result<(), Failure> {
    let before = app.clock.now() - KEEP_ENDED;
    let mut conn = app.db.read(NAME).await?;
    Ok(projections::delete_claims_ended_before(&mut conn, before).await?)
}
