//! T, C, N and D: the values of a sync point, read together (ADMISSION 1.1, 1.3).

use chrono::{DateTime, Utc};
use eventify_contracts::flows::FEEDING;
use eventify_kernel::cause::Cause;
pub(crate) use eventify_kernel::db::epoch::epoch;
use eventify_kernel::db::{DbResult, PgConnection, outbox};
use eventify_protocol::ids::VenueId;
use eventify_protocol::time::CoreTime;
use eventify_sync::core::feed::FeedHead;
use eventify_sync::core::watermark::{Watermark, truth};

use super::feed;
use crate::contexts::fleet::{App, NAME};

/// Reads a venue's watermark; `None` if the venue has no feed.
///
/// One `REPEATABLE READ` transaction; C is its `now()`. T is honest because an outbox row's
/// `created_at` is the start of the transaction that wrote it: whatever was committed before T is
/// visible in this snapshot, and is either projected, so its entry lies at or before N in the same
/// snapshot, or counted in the minimum.
///
/// A context that was moved to a database of its own is asked *between* the start of the
/// transaction and its snapshot, for the age of its oldest row by its own clock: what that age
/// leaves out was projected before the snapshot was taken, and C lies before that request.
pub(crate) async fn read(app: &App, cause: &Cause, venue: VenueId) -> DbResult<Option<Watermark>> {
    let mut tx = app.db.begin(NAME, cause).await?;
    repeatable_read(&mut tx).await?;
    let database = &app.config.database;
    let (near, far): (Vec<_>, Vec<_>) = FEEDING
        .into_iter()
        .partition(|context| database.url_of(context) == database.url_of(NAME));
    let mut ages = Vec::new();
    for context in far {
        ages.extend(outbox::age_of_unprojected(&app.db, context, venue.into()).await?);
    }
    let Some(feed) = feed::find(&mut tx, venue).await? else {
        return Ok(None);
    };
    let (now, own): (DateTime<Utc>, Option<DateTime<Utc>>) = sqlx::query_as(
        "select now(), (select min(created_at) from fleet.feed_pending
             where written_at is null and venue_id = $1)",
    )
    .bind(venue)
    .fetch_one(&mut *tx)
    .await?;
    let epoch = epoch(&mut tx).await?;
    let mut unprojected = vec![own];
    unprojected.extend(ages.into_iter().map(|age| Some(now - age)));
    for context in near {
        unprojected.push(outbox::oldest_unprojected_of(&mut tx, context, venue.into()).await?);
    }
    let unprojected = unprojected.into_iter().map(|at| at.map(CoreTime::from));
    let core = CoreTime::from(now);
    let FeedHead { position, digest } = feed.head;
    Ok(Some(Watermark {
        epoch,
        position,
        digest,
        truth: truth(core, unprojected),
        core,
    }))
}

/// Makes all statements of a transaction see one moment. Has to be its first statement.
pub(crate) async fn repeatable_read(conn: &mut PgConnection) -> DbResult<()> {
    sqlx::query("set transaction isolation level repeatable read")
        .execute(conn)
        .await?;
    Ok(())
}
