//! What the kernel itself has to clear away, in every context.

use std::time::Duration;

use chrono::TimeDelta;

use serde_json::json;

use crate::alarms::{self, Alarm};
use crate::app::App;
use crate::bus::dead_letters;
use crate::cause::Cause;
use crate::db::tasks as rows;
use crate::db::{DbResult, PgConnection, idempotency, retention};
use crate::failure::Failure;
use crate::jobs::{Job, Jobs};
use crate::lifelines;
use crate::tasks::ALARM_EVERY;

/// So long a repeat of a refused request gets the first answer. It has done nothing, and anybody who is signed in
/// can have any number of them, each under a key of its own.
const KEEP_REFUSALS: TimeDelta = TimeDelta::hours(1);

/// The kernel's own jobs. They need a schema for their locks: any context's will do.
#[must_use]
pub fn jobs(context: &'static str) -> Jobs {
    let sweep = Job::of(context, "sweep_idempotency_keys");
    let messages = Job::of(context, "sweep_messages");
    let watch = Job::of(context, "watch_parked_work");
    Jobs::new()
        .and(lifelines::jobs(context))
        .every(Duration::from_secs(600), sweep, sweep_old_rows)
        .every(Duration::from_secs(3600), messages, sweep_messages)
        .every(Duration::from_secs(60), watch, watch_parked_work)
}

/// Kind of an alarm, what its details call the number, and what to do.
type Count = (&'static str, &'static str, &'static str);

/// Messages and tasks that nobody goes on with by itself, and tasks that fail again and again, are an alarm of
/// their context until there are none: behind each somebody waits. A context that consumes nothing has no queue. Those of nodes are no
/// context's; any holds their alarm.
async fn watch_parked_work(app: &App, _: &Cause) -> Result<(), Failure> {
    const MESSAGES: Count = (
        "bus.messages_parked",
        "parked",
        "read why with `eventify-core dlq read`, end the cause, then `eventify-core dlq replay`",
    );
    const TASKS: Count = (
        "tasks.parked",
        "parked",
        "read why with `eventify-core tasks list`, end the cause, then `eventify-core tasks retry`",
    );
    const FAILING: Count = (
        "tasks.failing",
        "failing",
        "they fail again and again, and are still tried: read why with `eventify-core tasks list`, and look at \
         the party in the error",
    );
    for queue in app.bus.queues() {
        let name = queue.to_string();
        let parked = dead_letters::count(&app.bus, &name).await;
        let parked = i64::from(parked.map_err(Failure::retry)?);
        let mut conn = app.db.read(queue.context).await?;
        update_alarm(app, &mut conn, MESSAGES, &name, parked).await?;
    }
    let contexts: Vec<_> = app.db.contexts().collect();
    for uplink in app.bus.kept_uplinks() {
        let parked = dead_letters::count(&app.bus, uplink.name).await;
        let parked = i64::from(parked.map_err(Failure::retry)?);
        let Some(context) = contexts.first() else {
            break;
        };
        let mut conn = app.db.read(context).await?;
        update_alarm(app, &mut conn, MESSAGES, uplink.name, parked).await?;
    }
    for context in contexts {
        let mut conn = app.db.read(context).await?;
        let parked = rows::count_parked(&mut conn).await?;
        update_alarm(app, &mut conn, TASKS, context, parked).await?;
        let failing = rows::count_failing(&mut conn, ALARM_EVERY).await?;
        update_alarm(app, &mut conn, FAILING, context, failing).await?;
    }
    Ok(())
}

async fn update_alarm(
    app: &App,
    conn: &mut PgConnection,
    (kind, name, act): Count,
    subject: &str,
    count: i64,
) -> DbResult<()> {
    let now = app.clock.now();
    if count == 0 {
        alarms::clear(conn, kind, subject, now).await?;
        return Ok(());
    }
    let alarm = Alarm::new(kind, subject, act).with(json!({ name: count }));
    alarms::raise(conn, &alarm, now).await?;
    Ok(())
}

/// Deletes keys that are older than their promise, and alarms that ended long ago.
async fn sweep_old_rows(app: &App, _: &Cause) -> Result<(), Failure> {
    let keep = app.config.http.idempotency.keep();
    let keep = TimeDelta::from_std(keep).map_err(Failure::park)?;
    let contexts: Vec<_> = app.db.contexts().collect();
    for context in contexts {
        let mut conn = app.db.read(context).await?;
        let now = app.clock.now();
        let swept = idempotency::sweep(&mut conn, now - keep, now - KEEP_REFUSALS).await?;
        let ended = alarms::sweep(&mut conn, app.clock.now()).await?;
        tracing::debug!(
            context,
            swept,
            ended,
            "idempotency keys and ended alarms forgotten"
        );
    }
    Ok(())
}

/// Deletes messages that were sent and taken long ago, of each context.
async fn sweep_messages(app: &App, _: &Cause) -> Result<(), Failure> {
    let keep = app.config.retention.messages();
    let contexts: Vec<_> = app.db.contexts().collect();
    for context in contexts {
        let mut conn = app.db.read(context).await?;
        let sent = retention::sweep_outbox(&mut conn, keep).await?;
        let taken = retention::sweep_inbox(&mut conn, keep, app.clock.now()).await?;
        tracing::debug!(context, sent, taken, "old messages deleted");
    }
    Ok(())
}
