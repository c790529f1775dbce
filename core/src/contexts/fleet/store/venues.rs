//! Venues, their policy and who may run them.

use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::VenueId;
use uuid::Uuid;

use eventify_kernel::db::{DbResult, PgConnection};

/// A venue without its feed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Venue {
    pub(crate) name: Option<String>,
    pub(crate) owner_id: Option<Uuid>,
    pub(crate) max_cache_age_ms: i32,
    pub(crate) policy_version: i32,
}

/// Makes sure that a venue has its row; true if this made it. The key counts only for a new row.
pub(crate) async fn ensure(
    conn: &mut PgConnection,
    venue: VenueId,
    digest_key: &[u8; 32],
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into venues (venue_id, digest_key, digest) values ($1, $2, $3)
         on conflict (venue_id) do nothing",
    )
    .bind(venue.as_uuid())
    .bind(digest_key.as_slice())
    .bind(Hash32::ZERO.0.as_slice())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes what inventory says of a venue; an older version says nothing.
pub(crate) async fn describe(
    conn: &mut PgConnection,
    venue: VenueId,
    name: &str,
    owner: Uuid,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "update venues set name = $2, owner_id = $3, described_version = $4
         where venue_id = $1 and described_version < $4",
    )
    .bind(venue.as_uuid())
    .bind(name)
    .bind(owner)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, venue: VenueId) -> DbResult<Option<Venue>> {
    let row = sqlx::query_as(
        "select name, owner_id, max_cache_age_ms, policy_version from venues where venue_id = $1",
    )
    .bind(venue.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Every venue that has a feed.
pub(crate) async fn all(conn: &mut PgConnection) -> DbResult<Vec<VenueId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar("select venue_id from venues order by venue_id")
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().map(VenueId).collect())
}

/// Sets the policy and answers its new version.
pub(crate) async fn set_policy(
    conn: &mut PgConnection,
    venue: VenueId,
    max_cache_age_ms: i32,
) -> DbResult<i32> {
    let version = sqlx::query_scalar(
        "update venues set max_cache_age_ms = $2, policy_version = policy_version + 1
         where venue_id = $1 returning policy_version",
    )
    .bind(venue.as_uuid())
    .bind(max_cache_age_ms)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

/// Whether a user was appointed to run a venue.
pub(crate) async fn is_operator(
    conn: &mut PgConnection,
    venue: VenueId,
    user: Uuid,
) -> DbResult<bool> {
    let found = sqlx::query_scalar(
        "select exists (select from venue_operators where venue_id = $1 and user_id = $2)",
    )
    .bind(venue.as_uuid())
    .bind(user)
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// The venues that a user owns or was appointed to.
pub(crate) async fn run_by(conn: &mut PgConnection, user: Uuid) -> DbResult<Vec<VenueId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select venue_id from venues where owner_id = $1
         union select venue_id from venue_operators where user_id = $1",
    )
    .bind(user)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(VenueId).collect())
}

/// Appoints a user; again changes nothing.
pub(crate) async fn appoint(
    conn: &mut PgConnection,
    venue: VenueId,
    user: Uuid,
    by: Uuid,
) -> DbResult<()> {
    sqlx::query(
        "insert into venue_operators (venue_id, user_id, appointed_by) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(venue.as_uuid())
    .bind(user)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the appointment back; again changes nothing.
pub(crate) async fn dismiss(conn: &mut PgConnection, venue: VenueId, user: Uuid) -> DbResult<()> {
    sqlx::query("delete from venue_operators where venue_id = $1 and user_id = $2")
        .bind(venue.as_uuid())
        .bind(user)
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn operators(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Uuid>> {
    let users = sqlx::query_scalar(
        "select user_id from venue_operators where venue_id = $1 order by user_id",
    )
    .bind(venue.as_uuid())
    .fetch_all(conn)
    .await?;
    Ok(users)
}
