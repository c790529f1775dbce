//! Venues, their policy and who may run them.

use eventify_contracts::inventory::VenueFacts;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_kernel::http::Paging;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::DIGEST_ALGORITHM;
use eventify_protocol::zone::TimeZone;
use uuid::Uuid;

use crate::contexts::fleet::model::policy::Policy;

/// A venue without its feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Venue {
    pub(crate) name: Option<String>,
    pub(crate) owner_id: Option<Uuid>,
    pub(crate) org_id: Option<String>,
    /// What its clocks show.
    pub(crate) time_zone: TimeZone,
    pub(crate) policy: Policy,
    pub(crate) policy_version: i32,
}

#[derive(sqlx::FromRow)]
struct VenueRow {
    name: Option<String>,
    owner_id: Option<Uuid>,
    org_id: Option<String>,
    time_zone: Option<String>,
    max_cache_age_ms: i32,
    shift_needed: bool,
    search: bool,
    procedure: Vec<String>,
    acts_per_hour: Option<i32>,
    policy_version: i32,
}

impl From<VenueRow> for Venue {
    fn from(row: VenueRow) -> Self {
        Self {
            name: row.name,
            owner_id: row.owner_id,
            org_id: row.org_id,
            time_zone: TimeZone::or_utc(row.time_zone.as_deref()),
            policy: Policy {
                max_cache_age_ms: row.max_cache_age_ms,
                shift_needed: row.shift_needed,
                search: row.search,
                procedure: row.procedure,
                acts_per_hour: row.acts_per_hour,
            },
            policy_version: row.policy_version,
        }
    }
}

/// Inserts a venue; false if it exists already, with a digest key of its own.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    venue: VenueId,
    digest_key: &[u8; 32],
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into fleet.venues (venue_id, digest_key, digest, row_form) values ($1, $2, $3, $4)
         on conflict (venue_id) do nothing",
    )
    .bind(venue)
    .bind(digest_key.as_slice())
    .bind(Hash32::ZERO.0)
    .bind(i16::from(DIGEST_ALGORITHM))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Updates what inventory says of a venue to this version of inventory's; an older version changes nothing. Whether its
/// clocks show another time now.
pub(crate) async fn update_description(
    conn: &mut PgConnection,
    venue: VenueId,
    facts: &VenueFacts,
    version: i32,
) -> DbResult<bool> {
    let changed = sqlx::query_scalar(
        "with before as (select time_zone from fleet.venues where venue_id = $1 for update)
         update fleet.venues set name = $2, owner_id = $3, described_version = $4,
             org_id = $5, time_zone = $6
         from before where venue_id = $1 and described_version < $4
         returning before.time_zone is distinct from $6",
    )
    .bind(venue)
    .bind(&facts.name)
    .bind(facts.owner_id)
    .bind(version)
    .bind(&facts.org_id)
    .bind(facts.time_zone.name())
    .fetch_optional(conn)
    .await?;
    Ok(changed.unwrap_or(false))
}

pub(crate) async fn find(conn: &mut PgConnection, venue: VenueId) -> DbResult<Option<Venue>> {
    let row: Option<VenueRow> = sqlx::query_as(
        "select name, owner_id, org_id, time_zone, max_cache_age_ms, shift_needed, search, procedure, acts_per_hour,
             policy_version
         from fleet.venues where venue_id = $1",
    )
    .bind(venue)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// What the clocks of a node's venue show.
pub(crate) async fn find_time_zone(conn: &mut PgConnection, node: NodeId) -> DbResult<TimeZone> {
    let zone: Option<Option<String>> = sqlx::query_scalar(
        "select time_zone from fleet.venues join fleet.nodes using (venue_id) where node_id = $1",
    )
    .bind(node)
    .fetch_optional(conn)
    .await?;
    Ok(TimeZone::or_utc(zone.flatten().as_deref()))
}

/// Locks a venue to commit, if there is such a venue: two edits of a policy follow one another.
pub(crate) async fn lock(conn: &mut PgConnection, venue: VenueId) -> DbResult<()> {
    sqlx::query("select from fleet.venues where venue_id = $1 for update")
        .bind(venue)
        .execute(conn)
        .await?;
    Ok(())
}

/// Every venue that has a feed.
pub(crate) async fn list(conn: &mut PgConnection) -> DbResult<Vec<VenueId>> {
    let ids = sqlx::query_scalar("select venue_id from fleet.venues order by venue_id")
        .fetch_all(conn)
        .await?;
    Ok(ids)
}

/// Sets the policy and returns its new version.
pub(crate) async fn update_policy(
    conn: &mut PgConnection,
    venue: VenueId,
    policy: &Policy,
) -> DbResult<i32> {
    let version = sqlx::query_scalar(
        "update fleet.venues set max_cache_age_ms = $2, shift_needed = $3, search = $4,
             procedure = $5, acts_per_hour = $6,
             policy_version = policy_version + 1
         where venue_id = $1 returning policy_version",
    )
    .bind(venue)
    .bind(policy.max_cache_age_ms)
    .bind(policy.shift_needed)
    .bind(policy.search)
    .bind(&policy.procedure)
    .bind(policy.acts_per_hour)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

pub(crate) async fn is_operator(
    conn: &mut PgConnection,
    venue: VenueId,
    user: Uuid,
) -> DbResult<bool> {
    let found = sqlx::query_scalar(
        "select exists (select from fleet.venue_operators where venue_id = $1 and user_id = $2)",
    )
    .bind(venue)
    .bind(user)
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// The venues that a user owns or is an operator of, and those of an organisation.
pub(crate) async fn list_run_by(
    conn: &mut PgConnection,
    user: Uuid,
    org: Option<&str>,
) -> DbResult<Vec<VenueId>> {
    let ids = sqlx::query_scalar(
        "select venue_id from fleet.venues where owner_id = $1
         union select venue_id from fleet.venue_operators where user_id = $1
         union select venue_id from fleet.venues where org_id = $2",
    )
    .bind(user)
    .bind(org)
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// Inserts an operator, if the user is none yet.
pub(crate) async fn insert_operator(
    conn: &mut PgConnection,
    venue: VenueId,
    user: Uuid,
    by: Uuid,
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.venue_operators (venue_id, user_id, appointed_by) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(venue)
    .bind(user)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes an operator; whether the user was one.
pub(crate) async fn delete_operator(
    conn: &mut PgConnection,
    venue: VenueId,
    user: Uuid,
) -> DbResult<bool> {
    let deleted =
        sqlx::query("delete from fleet.venue_operators where venue_id = $1 and user_id = $2")
            .bind(venue)
            .bind(user)
            .execute(conn)
            .await?;
    Ok(deleted.rows_affected() > 0)
}

/// A page of a venue's operators, and how many there are.
pub(crate) async fn list_operators(
    conn: &mut PgConnection,
    venue: VenueId,
    paging: Paging,
) -> DbResult<(Vec<Uuid>, i64)> {
    let users = sqlx::query_scalar(
        "select user_id from fleet.venue_operators where venue_id = $1 order by user_id
         limit $2 offset $3",
    )
    .bind(venue)
    .bind(paging.limit())
    .bind(paging.offset())
    .fetch_all(&mut *conn)
    .await?;
    let count = "select count(*) from fleet.venue_operators where venue_id = $1";
    let total = sqlx::query_scalar(count)
        .bind(venue)
        .fetch_one(conn)
        .await?;
    Ok((users, total))
}

/// Marks the venue's rows as being of this release's form; true if they had an older one.
pub(crate) async fn renew_row_form(conn: &mut PgConnection, venue: VenueId) -> DbResult<bool> {
    let done =
        sqlx::query("update fleet.venues set row_form = $2 where venue_id = $1 and row_form < $2")
            .bind(venue)
            .bind(i16::from(DIGEST_ALGORITHM))
            .execute(conn)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Venues whose rows have an older form.
pub(crate) async fn list_of_older_form(conn: &mut PgConnection) -> DbResult<Vec<VenueId>> {
    let older = "select venue_id from fleet.venues where row_form < $1 order by venue_id";
    let ids = sqlx::query_scalar(older)
        .bind(i16::from(DIGEST_ALGORITHM))
        .fetch_all(conn)
        .await?;
    Ok(ids)
}
