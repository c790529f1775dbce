//! Alarms: logged, and stored for the venue's staff.

use eventify_kernel::db::{DbResult, PgConnection};

use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::store::alarms;
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
        alarm = %alarm.code,
        node_id = alarm.node.map(tracing::field::display),
        venue_id = alarm.venue.map(tracing::field::display),
        details = %alarm.details,
        "an alarm was raised"
    );
    alarms::insert_or_count(conn, app.clock.new_id(), alarm, app.clock.now()).await
}
