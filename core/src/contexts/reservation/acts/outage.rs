//! The alarm about an inventory that answers nobody: customers see 503 for each place that they choose, and the
//! breaker's own line in the log tells nobody.

use std::sync::PoisonError;

use chrono::TimeDelta;
use eventify_kernel::alarms::{self, Alarm, Filter, Stops};
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::db::DbResult;
use serde_json::json;

use crate::contexts::reservation::{App, NAME};

const UNAVAILABLE: &str = "reservation.inventory_unavailable";
/// Of all calls.
const INVENTORY: &str = "inventory";
/// What nobody has met for so long is over, or nobody buys.
const OVER_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Keeps in mind how a call ended, and tells when none is answered for a while, and when one is again.
pub(super) async fn note<T, E: IsFault>(app: &App, outcome: &Result<T, CallError<E>>) {
    let failed = match outcome {
        Ok(_) => false,
        Err(CallError::Open | CallError::TimedOut | CallError::Broke(_)) => true,
        Err(CallError::Callee(error)) => error.is_fault(),
    };
    let written = if failed {
        is_failing(app).await
    } else {
        is_well(app).await
    };
    // The customer's answer counts more than the alarm.
    if let Err(error) = written {
        tracing::warn!(code = "reservation.alarm_not_written", %error,
            "an alarm about inventory could not be written or cleared");
    }
}

async fn is_failing(app: &App) -> DbResult<()> {
    const ACT: &str = "no place can be put into a cart, and no cart be confirmed: inventory doesn't answer in \
                       time. Is the database slow or full (its load, locks, disk), and are its connections in use? \
                       It is over when the first customer has a place again, or after a minute in which nobody asks";
    let now = app.clock.now();
    let outage = app.state.inventory.outage.lock();
    let since = outage.unwrap_or_else(PoisonError::into_inner).failed(now);
    let Some(since) = since else {
        return Ok(());
    };
    let alarm = Alarm::new(UNAVAILABLE, INVENTORY, ACT)
        .with(json!({ "since": since }))
        .stops(&[Stops::Sales]);
    let mut conn = app.db.read(NAME).await?;
    alarms::raise(&mut conn, &alarm, now).await
}

async fn is_well(app: &App) -> DbResult<()> {
    let outage = app.state.inventory.outage.lock();
    let was_told = outage.unwrap_or_else(PoisonError::into_inner).answered();
    if was_told {
        clear(app).await?;
    }
    Ok(())
}

/// Ends the alarm when nobody has met its cause for a while, whichever process raised it.
pub(crate) async fn forget(app: &App) -> DbResult<()> {
    let standing = Filter {
        kind: Some(UNAVAILABLE.to_owned()),
        states: Some(vec![alarms::State::Open, alarms::State::Acknowledged]),
        ..Filter::default()
    };
    let (standing, _) = alarms::list(app, &standing, (0, 1)).await?;
    let over = app.clock.now() - OVER_AFTER;
    if standing.iter().any(|alarm| alarm.last_at < over) {
        clear(app).await?;
    }
    Ok(())
}

async fn clear(app: &App) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    alarms::clear(&mut conn, UNAVAILABLE, INVENTORY, app.clock.now()).await
}
