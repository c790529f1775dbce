//! Who works at a venue: added, changed and ended by those who run it; its nodes follow with the feed.

use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_protocol::ids::{PersonId, VenueId};
use eventify_protocol::sync::{FeedEntry, Subject};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{FleetError, alarms, feed, venues};
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::entries;
use crate::contexts::fleet::model::staff::{MAX_STAFF, Member, MemberPlan};
use crate::contexts::fleet::store::{comparisons, staff};
use crate::contexts::fleet::{App, NAME};

/// The longest `iss` and `sub` that a token can name somebody by.
const MAX_ACCOUNT_BYTES: usize = 255;

/// People that an alarm names, by their ids.
const MAX_NAMED: usize = 10;

/// An account of the identity provider: by our own id, which `GET /me` shows, or by the provider's, which
/// is known before its owner was ever here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) user_id: Option<Uuid>,
    pub(crate) issuer: Option<String>,
    pub(crate) subject: Option<String>,
}

/// Adds somebody.
pub(crate) async fn add(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    venue_id: VenueId,
    (account, plan): (Account, MemberPlan),
) -> Result<Member, FleetError> {
    let plan = check(plan)?;
    let mut conn = app.db.read(NAME).await?;
    // Before an account is looked up: who does not run the venue makes none known.
    venues::own(&mut conn, principal, venue_id).await?;
    drop(conn);
    let user_id = user_of(app, account).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::own(&mut tx, principal, venue_id).await?;
    // Those who are added at the same time are counted one after the other.
    staff::lock_list(&mut tx, venue_id).await?;
    if staff::list(&mut tx, venue_id).await?.len() >= MAX_STAFF {
        return Err(FleetError::TooManyStaff);
    }
    let member = Member {
        person_id: PersonId(random_id(app)),
        venue_id,
        user_id,
        name: plan.name,
        roles: plan.roles,
        version: 1,
        ended_at: None,
    };
    staff::insert(&mut tx, &member, principal.user_id, now)
        .await
        .map_err(account_taken)?;
    publish(app, tx, &member).await?;
    Ok(member)
}

/// Gives somebody another name or other roles. The caller has read this version.
pub(crate) async fn edit(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (venue, person, version): (VenueId, PersonId, i32),
    plan: MemberPlan,
) -> Result<Member, FleetError> {
    let plan = check(plan)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let member = lock(&mut tx, principal, venue, person).await?;
    if member.version != version {
        return Err(FleetError::Stale);
    }
    let member = member.edited(plan);
    let (by, now) = (principal.user_id, app.clock.now());
    staff::update(&mut tx, &member, by, now).await?;
    publish(app, tx, &member).await?;
    Ok(member)
}

/// Somebody does not work here any more. Once more changes nothing.
pub(crate) async fn end(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (venue, person): (VenueId, PersonId),
) -> Result<(), FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let member = match lock(&mut tx, principal, venue, person).await {
        Err(FleetError::PersonEnded) => return Ok(()),
        found => found?,
    };
    let (by, now) = (principal.user_id, app.clock.now());
    let member = member.ended(now);
    staff::update(&mut tx, &member, by, now).await?;
    publish(app, tx, &member).await
}

async fn lock(
    tx: &mut Tx,
    principal: &Principal,
    venue: VenueId,
    person: PersonId,
) -> Result<Member, FleetError> {
    venues::own(tx, principal, venue).await?;
    let member = staff::lock(tx, venue, person).await?;
    let member = member.ok_or(FleetError::PersonNotFound)?;
    if member.ended_at.is_some() {
        return Err(FleetError::PersonEnded);
    }
    Ok(member)
}

/// To the venue's nodes, and commits.
async fn publish(app: &App, mut tx: Tx, member: &Member) -> Result<(), FleetError> {
    let entry = (member.venue_id, entries::person(member));
    feed::enqueue_own(app, &mut tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(())
}

/// The people whom nodes know are compared with those who work here, and repaired (ADMISSION 5.2): somebody who
/// has left and stands in the feed could still sign in at a gate.
///
/// No alarm is false: nobody changes the rows meanwhile, and what waits for the writer is known.
pub(crate) async fn compare(app: &App, tx: &mut Tx, venue: VenueId) -> DbResult<()> {
    let working = staff::lock_working(tx, venue).await?;
    let mut in_feed = comparisons::list_people(tx, venue).await?;
    let mut repairs = Vec::new();
    for member in working {
        let found = in_feed.remove(&member.person_id);
        if member.differs(found.as_ref()) {
            repairs.push(repair(tx, member, found.map_or(0, |it| it.version)).await?);
        }
    }
    let restated = repairs.len();
    in_feed.retain(|_, found| found.live && !found.is_waiting);
    for (person, found) in in_feed {
        match staff::lock(tx, venue, person).await? {
            // Added a moment ago.
            Some(member) if member.ended_at.is_none() => {}
            Some(member) => repairs.push(repair(tx, member, found.version).await?),
            None => repairs.push(deletion(person, found.version)),
        }
    }
    if repairs.is_empty() {
        return Ok(());
    }
    let named = repairs.iter().take(MAX_NAMED).map(|(person, _)| person);
    let details = json!({
        "restated": restated,
        "unknown": repairs.len() - restated,
        "personIds": named.collect::<Vec<_>>(),
    });
    let alarm = Alarm::new(Code::FeedDiffersFromStaff).of_venue(venue);
    alarms::raise_in(app, tx, &alarm.with(details)).await?;
    let entries = repairs.into_iter().map(|(_, entry)| (venue, entry));
    feed::enqueue_repairs(app, tx, entries.collect()).await
}

/// The entry of somebody, with a version above that of the feed.
async fn repair(tx: &mut Tx, member: Member, in_feed: i64) -> DbResult<(PersonId, FeedEntry)> {
    let person = member.person_id;
    let version = staff::raise_version(tx, person, in_feed).await?;
    Ok((person, entries::person(&Member { version, ..member })))
}

/// Of somebody who was never here.
fn deletion(person: PersonId, in_feed: i64) -> (PersonId, FeedEntry) {
    let entry = FeedEntry {
        subject: Subject::Person(person),
        version: u64::try_from(in_feed).unwrap_or_default() + 1,
        value: None,
    };
    (person, entry)
}

/// Version 4, not 7: an id that shows when somebody was added says something of them.
fn random_id(app: &App) -> Uuid {
    let bytes: [u8; 32] = app.clock.random_bytes();
    let (id, _) = bytes.split_at(16);
    uuid::Builder::from_random_bytes(id.try_into().unwrap_or_default()).into_uuid()
}

/// Our own id of an account; the provider's is remembered like that of somebody who was here.
#[expect(
    clippy::disallowed_methods,
    reason = "an id of a provider, which nobody is shown"
)]
async fn user_of(app: &App, account: Account) -> Result<Uuid, FleetError> {
    let Account {
        user_id,
        issuer,
        subject,
    } = account;
    match (user_id, issuer, subject) {
        (Some(user), None, None) => Ok(user),
        (None, Some(issuer), Some(subject)) => {
            if !app.auth.issuers().any(|it| it == issuer) {
                let known: Vec<_> = app.auth.issuers().collect();
                let allowed = format!("one of {}", known.join(", "));
                return Err(FleetError::Invalid("issuer", allowed));
            }
            let is_subject = (1..=MAX_ACCOUNT_BYTES).contains(&subject.len())
                && !subject.chars().any(char::is_control);
            if !is_subject {
                let allowed = format!("1 to {MAX_ACCOUNT_BYTES} bytes");
                return Err(FleetError::Invalid("subject", allowed));
            }
            Ok(app.users.user_id(app, &issuer, &subject).await?)
        }
        _ => {
            let allowed = "either userId, or issuer and subject";
            Err(FleetError::Invalid("userId", allowed.to_owned()))
        }
    }
}

fn check(plan: MemberPlan) -> Result<MemberPlan, FleetError> {
    let checked = plan.check();
    checked.map_err(|(field, allowed)| FleetError::Invalid(field, allowed))
}

fn account_taken(error: DbError) -> FleetError {
    if error.violates("staff_account") {
        FleetError::AccountTaken
    } else {
        error.into()
    }
}
