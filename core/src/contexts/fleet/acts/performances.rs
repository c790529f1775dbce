//! Which performances a venue's gates admit to: those of its own organisation, and those of others
//! that it has confirmed (ADMISSION 3.11).

use eventify_contracts::fleet::PerformanceConfirmed;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{PerformanceId, VenueId};
use eventify_protocol::sync::FeedEntry;
use serde_json::json;

use super::{FleetError, alarms, feed, venues};
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::performance::{Confirmation, Performance};
use crate::contexts::fleet::store::performances;
use crate::contexts::fleet::{App, NAME};

/// What a change of a performance means for its venue's feed. While the venue does not admit to it,
/// nothing.
pub(crate) fn entries(performance: Option<&Performance>) -> Vec<(VenueId, FeedEntry)> {
    let entry = performance.and_then(|it| Some((it.venue, it.entry()?)));
    entry.into_iter().collect()
}

/// Tells the venue that a foreign organiser's performance waits for it.
pub(crate) async fn announce(
    app: &App,
    tx: &mut Tx,
    performance: Option<&Performance>,
) -> DbResult<()> {
    let Some(waiting) = performance.filter(|it| it.is_waiting()) else {
        return Ok(());
    };
    let alarm = Alarm::new(Code::PerformanceAwaitsConfirmation)
        .of_venue(waiting.venue)
        .with(json!({ "performanceId": waiting.id }));
    alarms::raise_in(app, tx, &alarm).await
}

/// The venue admits to a performance from now on. Confirming again changes nothing.
pub(crate) async fn confirm(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (venue, id): (VenueId, PerformanceId),
) -> Result<Performance, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::own(&mut tx, principal, venue).await?;
    let found = performances::lock(&mut tx, id).await?;
    let found = found.filter(|it| it.venue == venue && it.facts.is_some());
    let found = found.ok_or(FleetError::PerformanceNotFound)?;
    if !found.is_waiting() {
        return Ok(found);
    }
    let confirmation = Confirmation {
        version: found.facts_version,
        at: app.clock.now(),
    };
    performances::confirm(&mut tx, id, confirmation, principal.user_id).await?;
    let confirmed = Performance {
        confirmed: Some(confirmation),
        ..found
    };
    feed::enqueue_own(app, &mut tx, entries(Some(&confirmed))).await?;
    let event = PerformanceConfirmed {
        performance_id: id,
        venue_id: venue,
        version: confirmation.version,
        confirmed_at: confirmation.at,
    };
    tx.publish(app.clock.new_id(), confirmation.version, &event);
    tx.commit().await?;
    Ok(confirmed)
}
