//! Which performances a venue's gates admit to: those of its own organisation, and those of others
//! that it has confirmed (ADMISSION 3.11).

use chrono::{DateTime, TimeDelta, Utc};
use eventify_contracts::fleet::{PerformanceConfirmed, PerformanceDeclined};
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, Tx};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};
use eventify_protocol::sync::{FeedEntry, Subject};
use serde_json::json;
use uuid::Uuid;

use super::{FleetError, alarms, feed, venues};
use crate::contexts::fleet::model::alarm::{Alarm, Code, ORGANISER};
use crate::contexts::fleet::model::performance::{Performance, Word};
use crate::contexts::fleet::store::performances::Waiting;
use crate::contexts::fleet::store::titles::{self, Title};
use crate::contexts::fleet::store::{comparisons, performances, venues as venue_rows};
use crate::contexts::fleet::{App, NAME};

/// Before a show's gates open somebody has to have said whether they do.
const NEAR: TimeDelta = TimeDelta::hours(24);
/// Of one request. Who is asked about more than that asks again.
const MAX_DECLINED: i64 = 1_000;

/// What a change of a performance means for its venue's feed. While the venue does not admit to it,
/// nothing.
pub(crate) fn entries(performance: Option<&Performance>) -> Vec<(VenueId, FeedEntry)> {
    let entry = performance.and_then(|it| Some((it.venue, it.entry()?)));
    entry.into_iter().collect()
}

/// Tells each venue what of other organisers waits for it: one alarm an organiser, however much they plan. It stops
/// gates when one of these shows is near.
pub(crate) async fn watch_waiting(app: &App) -> DbResult<()> {
    let now = app.clock.now();
    let mut conn = app.db.read(NAME).await?;
    let waiting = performances::list_waiting(&mut conn, now).await?;
    let alarms: Vec<_> = waiting.iter().map(|it| alarm(it, now)).collect();
    alarms::set_in(app, &mut conn, Code::PerformanceAwaitsConfirmation, &alarms).await
}

fn alarm(waiting: &Waiting, now: DateTime<Utc>) -> Alarm {
    let alarm = Alarm::new(Code::PerformanceAwaitsConfirmation)
        .of_venue(waiting.venue_id)
        .one_of(format!("{}/{}", waiting.venue_id, waiting.organiser_id))
        .also(ORGANISER, &waiting.organiser_id)
        .with(json!({
            "performances": waiting.performances,
            "firstPerformanceId": waiting.first_id,
            "firstTitle": waiting.first_title,
            "firstAdmitsFrom": waiting.first_admits_from,
        }));
    if waiting.first_admits_from - now > NEAR {
        return alarm.stopping_nothing_yet();
    }
    alarm
}

/// A performance in a venue of the caller's, locked.
pub(crate) async fn planned(
    conn: &mut PgConnection,
    principal: &Principal,
    (venue, id): (VenueId, PerformanceId),
) -> Result<Performance, FleetError> {
    venues::own(conn, principal, venue).await?;
    let found = performances::lock(conn, id).await?;
    let found = found.filter(|it| it.venue == venue && it.facts.is_some());
    found.ok_or(FleetError::PerformanceNotFound)
}

/// The venue admits to a performance from now on, as whoever confirms it has seen it: its organiser may
/// move it while they decide. Confirming again changes nothing.
pub(crate) async fn confirm(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (venue, seen): (VenueId, &Performance),
) -> Result<Performance, FleetError> {
    let id = seen.id;
    let mut tx = app.db.begin(NAME, cause).await?;
    let found = planned(&mut tx, principal, (venue, id)).await?;
    if !found.is_unconfirmed() {
        return Ok(found);
    }
    if found.facts_version != seen.facts_version {
        return Err(FleetError::Stale);
    }
    let confirmation = Word {
        version: found.facts_version,
        at: app.clock.now(),
    };
    let by = principal.user_id;
    let confirmed = Performance {
        feed_version: performances::confirm(&mut tx, id, confirmation, by).await?,
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

/// The venue does not admit to a performance, as whoever declines it has seen it. Declining again changes nothing, and
/// it may still confirm it. What it has confirmed it can't decline.
pub(crate) async fn decline(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (venue, seen): (VenueId, &Performance),
) -> Result<Performance, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let found = planned(&mut tx, principal, (venue, seen.id)).await?;
    if found.is_declined() {
        return Ok(found);
    }
    if !found.is_waiting() {
        return Err(FleetError::NotWaiting);
    }
    if found.facts_version != seen.facts_version {
        return Err(FleetError::Stale);
    }
    let declined = decline_in(app, &mut tx, principal, found).await?;
    tx.commit().await?;
    Ok(declined)
}

/// The same for all that waits of an organiser, up to [`MAX_DECLINED`]. Returns how many that were.
pub(crate) async fn decline_all(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (venue, organiser): (VenueId, Uuid),
) -> Result<usize, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::own(&mut tx, principal, venue).await?;
    let (of, now) = ((venue, organiser), app.clock.now());
    let waiting = performances::lock_waiting(&mut tx, of, now, MAX_DECLINED).await?;
    let count = waiting.len();
    for performance in waiting {
        decline_in(app, &mut tx, principal, performance).await?;
    }
    tx.commit().await?;
    Ok(count)
}

async fn decline_in(
    app: &App,
    tx: &mut Tx,
    principal: &Principal,
    performance: Performance,
) -> DbResult<Performance> {
    let refusal = Word {
        version: performance.facts_version,
        at: app.clock.now(),
    };
    performances::decline(tx, performance.id, refusal, principal.user_id).await?;
    let event = PerformanceDeclined {
        performance_id: performance.id,
        venue_id: performance.venue,
        version: refusal.version,
        declined_at: refusal.at,
    };
    tx.publish(app.clock.new_id(), refusal.version, &event);
    Ok(Performance {
        declined: Some(refusal),
        ..performance
    })
}

/// An event has another title: its performances get entries with it. An older title changes nothing.
pub(crate) async fn rename(app: &App, tx: &mut Tx, event: EventId, title: Title) -> DbResult<()> {
    let known = titles::lock(tx, event).await?;
    if known.is_some_and(|known| known.version >= title.version) {
        return Ok(());
    }
    let mut renamed = Vec::new();
    for id in titles::update(tx, event, &title).await? {
        let performance = performances::lock(tx, id).await?;
        renamed.extend(entries(performance.as_ref()));
    }
    if renamed.is_empty() {
        return Ok(());
    }
    feed::enqueue_own(app, tx, renamed).await
}

/// Performances that an alarm names.
const MAX_NAMED: usize = 10;

/// Compares what the feed has of a venue's performances with fleet's own rows, and repairs it by new
/// entries (ADMISSION 5.2). Left out are those that admit nobody after a moment, Unix seconds.
///
/// No alarm is false: nobody changes the rows meanwhile, and what waits for the writer is known. The first
/// comparison after an upgrade to another form of the rows finds all of them different, and raises none.
pub(crate) async fn compare(app: &App, tx: &mut Tx, venue: VenueId, after: i64) -> DbResult<()> {
    let is_renewal = venue_rows::renew_row_form(tx, venue).await?;
    let ahead = performances::lock_ahead(tx, venue, after).await?;
    let mut in_feed = comparisons::list_performances(tx, venue).await?;
    let mut repairs = Vec::new();
    for performance in ahead {
        let found = in_feed.remove(&performance.id);
        if performance.differs(found.as_ref()) {
            repairs.push(repair(tx, performance, found.map_or(0, |it| it.version)).await?);
        }
    }
    let restated = repairs.len();
    let over = performances::list_over(tx, venue, after).await?;
    in_feed.retain(|id, found| found.live && !found.is_waiting && !over.contains(id));
    for (id, found) in in_feed {
        let known = performances::lock(tx, id).await?;
        // One that was scheduled a moment ago is not unknown.
        if known.is_none_or(|it| it.venue != venue || it.facts.is_none()) {
            let raised = performances::raise_feed_version(tx, id, found.version).await?;
            repairs.push(deletion(id, raised.unwrap_or(found.version + 1)));
        }
    }
    if repairs.is_empty() {
        return Ok(());
    }
    if !is_renewal {
        let ids = repairs.iter().map(|(id, _)| id).take(MAX_NAMED);
        let details = json!({
            "restated": restated,
            "unknown": repairs.len() - restated,
            "performanceIds": ids.collect::<Vec<_>>(),
        });
        let alarm = Alarm::new(Code::FeedDiffersFromPerformances).of_venue(venue);
        alarms::raise_in(app, tx, &alarm.with(details)).await?;
    }
    let entries = repairs.into_iter().map(|(_, entry)| (venue, entry));
    feed::enqueue_repairs(app, tx, entries.collect()).await
}

/// Writes the performances of venues once more whose rows have an older form.
pub(crate) async fn renew_rows(app: &App, cause: &Cause) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let venues = venue_rows::list_of_older_form(&mut conn).await?;
    drop(conn);
    // What fails for one venue holds up no other's.
    let mut renewed = Ok(());
    for venue in venues {
        renewed = renewed.and(renew_rows_of(app, cause, venue).await);
    }
    renewed
}

async fn renew_rows_of(app: &App, cause: &Cause, venue: VenueId) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    compare(app, &mut tx, venue, app.clock.now().timestamp()).await?;
    tx.commit().await
}

/// The entry of a performance, with a version above that of the feed.
async fn repair(
    tx: &mut Tx,
    performance: Performance,
    in_feed: i64,
) -> DbResult<(PerformanceId, FeedEntry)> {
    let id = performance.id;
    let raised = performances::raise_feed_version(tx, id, in_feed).await?;
    let feed_version = raised.unwrap_or(performance.feed_version);
    let entry = Performance {
        feed_version,
        ..performance
    }
    .entry();
    Ok(entry.map_or_else(|| deletion(id, feed_version), |entry| (id, entry)))
}

fn deletion(id: PerformanceId, version: i64) -> (PerformanceId, FeedEntry) {
    let entry = FeedEntry {
        subject: Subject::Performance(id),
        version: u64::try_from(version).unwrap_or_default(),
        value: None,
    };
    (id, entry)
}
