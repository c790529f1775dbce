//! Venues: who may run them, and the policy of their nodes.

use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, Tx};
use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::{FeedEntry, PolicyEntry};
use uuid::Uuid;

use super::{FleetError, feed};
use crate::contexts::fleet::model::entries;
use crate::contexts::fleet::model::policy::PolicyEdit;
use crate::contexts::fleet::store::venues::Venue;
use crate::contexts::fleet::store::{key_sets, venues};
use crate::contexts::fleet::{App, NAME, jobs};

/// A venue that the caller may run.
///
/// # Errors
/// 404 for an unknown venue, 403 for somebody else's.
pub(crate) async fn own(
    conn: &mut PgConnection,
    principal: &Principal,
    venue: VenueId,
) -> Result<Venue, FleetError> {
    let found = find(conn, venue).await?;
    if is_owner(principal, &found)
        || is_of(principal, Role::VenueIt, &found)
        || venues::is_operator(conn, venue, principal.user_id).await?
    {
        return Ok(found);
    }
    Err(FleetError::NotYourVenue)
}

async fn find(conn: &mut PgConnection, venue: VenueId) -> Result<Venue, FleetError> {
    let found = venues::find(conn, venue).await?;
    found.ok_or(FleetError::VenueNotFound)
}

/// An administrator is as good as the owner, and so is an organiser of its organisation, as in inventory.
fn is_owner(principal: &Principal, venue: &Venue) -> bool {
    venue.owner_id == Some(principal.user_id)
        || principal.has_role(Role::Admin)
        || is_of(principal, Role::Organizer, venue)
}

/// Whether the caller has a role in the venue's organisation.
fn is_of(principal: &Principal, role: Role, venue: &Venue) -> bool {
    venue.org_id.is_some() && venue.org_id == principal.org_id && principal.has_role(role)
}

/// The venues that the caller may run; `None` for all.
pub(crate) async fn visible(
    conn: &mut PgConnection,
    principal: &Principal,
) -> DbResult<Option<Vec<VenueId>>> {
    if principal.has_role(Role::Admin) {
        return Ok(None);
    }
    let has_role = principal.has_role(Role::VenueIt) || principal.has_role(Role::Organizer);
    let org = principal.org_id.as_deref().filter(|_| has_role);
    let venues = venues::list_run_by(conn, principal.user_id, org).await?;
    Ok(Some(venues))
}

/// Sets how a venue wants its nodes to behave; what is left out stays.
pub(crate) async fn set_policy(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    venue: VenueId,
    edit: PolicyEdit,
) -> Result<Venue, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::lock(&mut tx, venue).await?;
    let before = own(&mut tx, principal, venue).await?;
    let policy = edit.check(&before.policy);
    let policy = policy.map_err(|(field, issue)| FleetError::Invalid(field, issue))?;
    let policy_version = venues::update_policy(&mut tx, venue, &policy).await?;
    let entry = entries::policy(policy.entry(), policy_version);
    feed::enqueue_own(app, &mut tx, vec![(venue, entry)]).await?;
    if policy.search != before.policy.search {
        tx.wake(app.jobs.wake(jobs::PUBLISH_HOLDERS));
    }
    tx.commit().await?;
    Ok(Venue {
        policy,
        policy_version,
        ..before
    })
}

/// Appoints or dismisses an operator of a venue. Only its owner and administrators may.
pub(crate) async fn appoint(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    venue: VenueId,
    user: Uuid,
    appointed: bool,
) -> Result<(), FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    if !is_owner(principal, &find(&mut tx, venue).await?) {
        return Err(FleetError::NotYourVenue);
    }
    if appointed {
        venues::insert_operator(&mut tx, venue, user, principal.user_id).await?;
    } else if !venues::delete_operator(&mut tx, venue, user).await? {
        return Err(FleetError::OperatorNotFound);
    }
    tx.commit().await?;
    Ok(())
}

/// Makes sure that a venue has a feed. A new one begins with its policy and the key set.
pub(crate) async fn ensure(app: &App, tx: &mut Tx, venue: VenueId) -> DbResult<()> {
    if venues::find(tx, venue).await?.is_some() {
        return Ok(());
    }
    // No key set may be published between reading the newest one and inserting the venue.
    key_sets::lock_shared(tx).await?;
    if !venues::insert(tx, venue, &app.clock.random_bytes()).await? {
        return Ok(());
    }
    let mut entries = vec![(venue, entries::policy(PolicyEntry::default(), 1))];
    if let Some((version, bytes)) = key_sets::find_newest(tx).await? {
        entries.push((venue, entries::key_set(version, bytes)));
    }
    feed::enqueue_own(app, tx, entries).await
}

/// Stores a key set. If it is newer than all before it, returns an entry of it for each venue.
pub(crate) async fn key_set_entries(
    tx: &mut Tx,
    version: u64,
    bytes: Vec<u8>,
) -> DbResult<Vec<(VenueId, FeedEntry)>> {
    key_sets::lock_exclusive(tx).await?;
    if !key_sets::insert_if_newest(tx, version, &bytes).await? {
        return Ok(Vec::new());
    }
    let entry = entries::key_set(version, bytes);
    let venues = venues::list(tx).await?.into_iter();
    Ok(venues.map(|venue| (venue, entry.clone())).collect())
}
