//! Venues: who may run them, and how their nodes are to behave.

use eventify_protocol::ids::VenueId;
use eventify_protocol::time::MAX_CACHE_AGE;
use uuid::Uuid;

use super::FleetError;
use crate::contexts::fleet::App;
use crate::contexts::fleet::model::facts;
use crate::contexts::fleet::store::pending::{self, Origin};
use crate::contexts::fleet::store::venues::Venue;
use crate::contexts::fleet::store::{feed, venues};
use crate::contexts::fleet::{NAME, consumers};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, Tx};

/// A venue that the caller may run.
///
/// # Errors
/// 404 for an unknown venue, 403 for somebody else's.
pub(crate) async fn own(
    conn: &mut PgConnection,
    principal: &Principal,
    venue: VenueId,
) -> Result<Venue, FleetError> {
    let found = venues::find(conn, venue)
        .await?
        .ok_or(FleetError::VenueNotFound)?;
    let owns = found.owner_id == Some(principal.user_id) || principal.has_role(Role::Admin);
    if owns || venues::is_operator(conn, venue, principal.user_id).await? {
        return Ok(found);
    }
    Err(FleetError::NotYourVenue)
}

/// The venues that the caller may run; `None` for all.
pub(crate) async fn visible(
    conn: &mut PgConnection,
    principal: &Principal,
) -> DbResult<Option<Vec<VenueId>>> {
    if principal.has_role(Role::Admin) {
        return Ok(None);
    }
    venues::run_by(conn, principal.user_id).await.map(Some)
}

/// Sets the oldest cache that may decide in a venue; 0 switches degraded check-in off.
pub(crate) async fn set_policy(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    venue: VenueId,
    max_cache_age_ms: u32,
) -> Result<Venue, FleetError> {
    let limit = u32::try_from(MAX_CACHE_AGE.as_millis()).unwrap_or(u32::MAX);
    if max_cache_age_ms > limit {
        return Err(FleetError::Invalid(
            "maxCacheAgeMs",
            format!("at most {limit}"),
        ));
    }
    let millis = i32::try_from(max_cache_age_ms).unwrap_or(i32::MAX);
    let mut tx = app.db.begin(NAME, cause).await?;
    let before = own(&mut tx, principal, venue).await?;
    let version = venues::set_policy(&mut tx, venue, millis).await?;
    state(app, &mut tx, &[(venue, facts::of_policy(millis, version))]).await?;
    tx.commit().await?;
    Ok(Venue {
        max_cache_age_ms: millis,
        policy_version: version,
        ..before
    })
}

/// Appoints or dismisses a user who runs the venue. Only its owner and administrators may.
pub(crate) async fn appoint(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    venue: VenueId,
    user: Uuid,
    appointed: bool,
) -> Result<(), FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let found = venues::find(&mut tx, venue)
        .await?
        .ok_or(FleetError::VenueNotFound)?;
    if found.owner_id != Some(principal.user_id) && !principal.has_role(Role::Admin) {
        return Err(FleetError::NotYourVenue);
    }
    if appointed {
        venues::appoint(&mut tx, venue, user, principal.user_id).await?;
    } else {
        venues::dismiss(&mut tx, venue, user).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Makes sure that a venue has a feed. A new one begins with its policy and the key set.
pub(crate) async fn ensure(app: &App, tx: &mut Tx, venue: VenueId) -> DbResult<()> {
    if venues::find(tx, venue).await?.is_some() {
        return Ok(());
    }
    // No key set may pass by between looking for it and having the row that it goes to.
    feed::lock_key_set(tx, false).await?;
    if !venues::ensure(tx, venue, &app.clock.random_bytes()).await? {
        return Ok(());
    }
    let mut entries = vec![(venue, facts::of_policy(0, 1))];
    if let Some((version, bytes)) = feed::key_set(tx).await? {
        entries.push((venue, facts::of_key_set(version, bytes)));
    }
    state(app, tx, &entries).await
}

/// Hands changes of our own to the feed's writer.
pub(crate) async fn state(
    app: &App,
    tx: &mut Tx,
    entries: &[(VenueId, eventify_protocol::sync::FeedEntry)],
) -> DbResult<()> {
    let origin = Origin {
        message: app.clock.new_id(),
        source: NAME,
    };
    pending::add(tx, &[(origin, entries.to_vec())]).await?;
    tx.wake(app.jobs.wake(consumers::WRITE_FEED));
    Ok(())
}
