//! What the kernel itself has to clear away, in every context.

use std::time::Duration;

use chrono::TimeDelta;

use crate::app::App;
use crate::cause::Cause;
use crate::db::idempotency;
use crate::failure::Failure;
use crate::jobs::{Job, Jobs};

/// The kernel's own jobs. They need a schema for their locks: any context's will do.
#[must_use]
pub fn jobs(context: &'static str) -> Jobs {
    let sweep = Job::of(context, "sweep_idempotency_keys");
    Jobs::new().every(Duration::from_secs(3600), sweep, sweep_idempotency_keys)
}

/// Deletes keys that are older than their promise.
async fn sweep_idempotency_keys(app: &App, _: &Cause) -> Result<(), Failure> {
    let keep = app.config.http.idempotency.keep();
    let keep = TimeDelta::from_std(keep).map_err(Failure::park)?;
    let contexts: Vec<_> = app.db.contexts().collect();
    for context in contexts {
        let mut conn = app.db.read(context).await?;
        let swept = idempotency::sweep(&mut conn, app.clock.now() - keep).await?;
        tracing::debug!(context, swept, "idempotency keys forgotten");
    }
    Ok(())
}
