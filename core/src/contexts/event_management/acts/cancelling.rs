//! Events and performances are cancelled whole, whatever the hour: what runs is cancelled like what is to
//! come. What is over needs a second word, because everybody who was there would be paid back.

use std::collections::BTreeMap;

use eventify_contracts::event_management::EventCancelled;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{EventId, PerformanceId};

use super::moving::begin;
use super::{ActError, lock};
use crate::contexts::event_management::model::cancellation::{
    Confirmation, Outcome, must_be_confirmed, over_and_meant,
};
use crate::contexts::event_management::model::event::{Event, check_reason};
use crate::contexts::event_management::model::performance::Performance;
use crate::contexts::event_management::store::{events, performances};
use crate::contexts::event_management::{App, NAME};
use crate::contexts::order::api::{self as order, Sold};

/// What the cancellation of an event does.
pub(crate) struct CancelledEvent {
    pub(crate) event: Event,
    /// Each performance, with what is paid back of it or would be.
    pub(crate) performances: Vec<(Performance, Outcome, Sold)>,
}

/// Cancels an event and its performances. Those that are over are left out, unless the caller confirms
/// them or nothing else is left. Cancelling again takes on what is not cancelled yet.
pub(crate) async fn cancel_event(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
    (reason, confirmation): (&str, Option<&Confirmation>),
) -> Result<CancelledEvent, ActError> {
    let reason = check_reason(reason)?;
    let (now, margins) = (app.clock.now(), app.state.margins);
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, id).await?;
    let before = full.event.version;
    let event = full.event.cancel(now)?;
    let meant = over_and_meant(&full.performances, confirmation.is_some(), margins, now);
    must_be_confirmed(&order::sold(app, &meant).await?.total, confirmation)?;
    let mut sold = sold_of(app, &full.performances).await?;
    if event.version != before {
        events::update(&mut tx, &event).await?;
        let cancelled = EventCancelled {
            event_id: id,
            facts: event.facts(),
            reason: reason.clone(),
        };
        tx.publish(app.clock.new_id(), event.version, &cancelled);
    }
    let mut done = Vec::with_capacity(full.performances.len());
    for performance in full.performances {
        let outcome = if performance.cancelled {
            Outcome::AlreadyCancelled
        } else if performance.lies_ahead(margins, now) || meant.contains(&performance.id) {
            Outcome::Cancelled
        } else {
            Outcome::LeftOut
        };
        let sold = sold.remove(&performance.id).unwrap_or_default();
        let performance = if outcome == Outcome::Cancelled {
            cancel_in(app, &mut tx, &event, performance, &reason).await?
        } else {
            performance
        };
        done.push((performance, outcome, sold));
    }
    tx.commit().await?;
    Ok(CancelledEvent {
        event,
        performances: done,
    })
}

/// Cancels one performance, with what is paid back. Cancelling again changes nothing.
pub(crate) async fn cancel_performance(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    which: (EventId, PerformanceId),
    (reason, confirmation): (&str, Option<&Confirmation>),
) -> Result<(Performance, Sold), ActError> {
    let reason = check_reason(reason)?;
    let (mut tx, full, found) = begin(app, cause, caller, which).await?;
    let sold = order::sold(app, &[found.id]).await?.total;
    if !found.cancelled && found.is_over(app.state.margins, app.clock.now()) {
        must_be_confirmed(&sold, confirmation)?;
    }
    let cancelled = cancel_in(app, &mut tx, &full.event, found, &reason).await?;
    tx.commit().await?;
    Ok((cancelled, sold))
}

async fn sold_of(
    app: &App,
    performances: &[Performance],
) -> DbResult<BTreeMap<PerformanceId, Sold>> {
    let ids: Vec<_> = performances.iter().map(|it| it.id).collect();
    Ok(order::sold(app, &ids).await?.of)
}

async fn cancel_in(
    app: &App,
    tx: &mut Tx,
    event: &Event,
    performance: Performance,
    reason: &str,
) -> DbResult<Performance> {
    if performance.cancelled {
        return Ok(performance);
    }
    let cancelled = performance.cancel(app.clock.now());
    performances::cancel(tx, &cancelled).await?;
    let message = cancelled.as_cancelled(event, reason);
    tx.publish(app.clock.new_id(), cancelled.version, &message);
    Ok(cancelled)
}
