//! A venue has declined a performance of which tickets are sold: its organiser has to know, because guests will stand
//! before doors that admit none of them.

use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::db::DbResult;
use serde_json::json;

use crate::contexts::event_management::store::performances::{self, Declined};
use crate::contexts::event_management::{App, NAME};
use crate::contexts::order::api::{self as order, Sold};

const KIND: &str = "event_management.declined_with_sales";

/// Each of these is an alarm, until the venue confirms it, it is moved or cancelled, its last ticket is paid back, or
/// it is over.
pub(crate) async fn watch_declined(app: &App) -> DbResult<()> {
    let (now, margins) = (app.clock.now(), app.state.margins);
    let mut conn = app.db.read(NAME).await?;
    let declined = performances::list_declined(&mut conn, margins, now).await?;
    drop(conn);
    let ids: Vec<_> = declined.iter().map(|it| it.performance_id).collect();
    let mut sales = order::sold(app, &ids).await?;
    let alarms = declined.iter().filter_map(|it| {
        let sold = sales.of.remove(&it.performance_id)?;
        (sold.tickets > 0).then(|| alarm(it, &sold))
    });
    let alarms: Vec<_> = alarms.collect();
    alarms::set(&mut *app.db.read(NAME).await?, KIND, &alarms, now).await
}

fn alarm(of: &Declined, sold: &Sold) -> Alarm {
    let alarm = Alarm::new(
        KIND,
        of.performance_id.to_string(),
        "the venue has declined a performance of which tickets are sold: nothing more is sold, and its gates will \
              admit nobody. Agree with the venue, which can still confirm it; or move it (PUT \
              /events/{eventId}/performances/{performanceId}), or cancel it, which pays everybody back",
    );
    let alarm = alarm
        .about("performanceId", &of.performance_id)
        .about("organiserId", &of.owner_id);
    let alarm = match &of.org_id {
        Some(org) => alarm.about("organisationId", org),
        None => alarm,
    };
    alarm.with(json!({
        "eventId": of.event_id,
        "venueId": of.venue_id,
        "startTime": of.start_time,
        "orders": sold.orders,
        "tickets": sold.tickets,
        "sum": sold.sum(),
    }))
}
