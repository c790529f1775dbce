//! A job that fails again and again is an alarm, until it succeeds.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::Job;
use crate::alarms::{self, Alarm};
use crate::app::App;
use crate::db::DbResult;
use crate::failure::Failure;

const KIND: &str = "jobs.failing";
const ACT: &str = "what this job does stands still: the log lines `jobs.failed` that name it say why. Mend that; \
                   the alarm ends with the job's next success";
/// So many failures in a row, in one process.
const RAISED_AFTER: u32 = 5;

/// Counts what became of a run, if there was one. `woken`: not by its timer.
pub(super) async fn record(
    app: &App,
    (job, failures): (Job, &AtomicU32),
    ran: Result<bool, Failure>,
    woken: bool,
) {
    let Job { context, name, .. } = job;
    let recorded = match ran {
        Ok(false) => Ok(()),
        // Whether another process has failed before is looked up by the timer's runs: a job may be woken often.
        Ok(true) if failures.swap(0, Ordering::SeqCst) == 0 && woken => Ok(()),
        Ok(true) => clear(app, job).await,
        // That the database doesn't answer is logged once, for all jobs.
        Err(_) if !app.db.answers(context).await => Ok(()),
        Err(failure) => {
            let failures = failures.fetch_add(1, Ordering::SeqCst) + 1;
            tracing::warn!(code = "jobs.failed", context, job = name, failures, error = %failure,
                "a job failed; it runs again at its next interval");
            raise(app, job, failures).await
        }
    };
    if let Err(error) = recorded {
        tracing::warn!(code = "jobs.alarm_not_written", context, job = name, %error,
            "the alarm about a job that fails could not be written or cleared");
    }
}

async fn raise(app: &App, job: Job, failures: u32) -> DbResult<()> {
    if failures < RAISED_AFTER {
        return Ok(());
    }
    let mut conn = app.db.read(job.context).await?;
    let alarm = Alarm::new(KIND, job.to_string(), ACT).with(json!({ "failures": failures }));
    alarms::raise(&mut conn, &alarm, app.clock.now()).await
}

async fn clear(app: &App, job: Job) -> DbResult<()> {
    let mut conn = app.db.read(job.context).await?;
    alarms::clear(&mut conn, KIND, &job.to_string(), app.clock.now()).await
}
