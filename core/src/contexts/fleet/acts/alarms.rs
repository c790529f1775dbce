//! Alarms: logged, and stored for the venue's staff.

use std::cmp::Ordering;

use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection};
use uuid::Uuid;

use super::{FleetError, venues};
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::store::alarms::{self, RaisedAlarm};
use crate::contexts::fleet::{App, NAME};

/// Raises an alarm in a transaction of its own.
pub(crate) async fn raise(app: &App, alarm: &Alarm) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    raise_in(app, &mut conn, alarm).await
}

/// Raises an alarm in a transaction: with the change that it is about, or not at all.
pub(crate) async fn raise_in(app: &App, conn: &mut PgConnection, alarm: &Alarm) -> DbResult<()> {
    tracing::error!(
        code = "fleet.alarm_raised",
        alarm = alarm.code.name(),
        node_id = alarm.node.map(tracing::field::display),
        venue_id = alarm.venue.map(tracing::field::display),
        details = %alarm.details,
        act = alarm.code.act(),
        "an alarm was raised"
    );
    alarms::insert_or_count(conn, app.clock.new_id(), alarm, app.clock.now()).await
}

/// Somebody who runs the venue has looked at an alarm; at one of no venue, an administrator. `seen` is
/// how often it had occurred then: what came after that stays unseen. Who was first stays named.
pub(crate) async fn mark_seen(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (id, seen): (Uuid, i64),
) -> Result<RaisedAlarm, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let alarm = alarms::lock(&mut tx, id).await?;
    let alarm = alarm.ok_or(FleetError::AlarmNotFound)?;
    match alarm.venue_id {
        Some(venue) => {
            venues::own(&mut tx, principal, venue).await?;
        }
        None if principal.has_role(Role::Admin) => {}
        None => return Err(FleetError::AlarmNotFound),
    }
    match seen.cmp(&alarm.occurrences) {
        Ordering::Equal => {}
        Ordering::Less => return Err(FleetError::OccurredAgain(alarm.occurrences)),
        Ordering::Greater => {
            let issue = format!("it has occurred {} times, not more", alarm.occurrences);
            return Err(FleetError::Invalid("occurrences", issue));
        }
    }
    if alarm.seen_at.is_some() {
        return Ok(alarm);
    }
    let (now, by) = (app.clock.now(), principal.user_id);
    let alarm = alarms::mark_seen(&mut tx, id, now, by).await?;
    tx.commit().await?;
    Ok(alarm)
}
