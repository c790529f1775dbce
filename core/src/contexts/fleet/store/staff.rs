//! Who works at which venue.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_kernel::http::Paging;
use eventify_protocol::ids::{PersonId, VenueId};
use eventify_protocol::staff::StaffRole;
use uuid::Uuid;

use crate::contexts::fleet::model::staff::{Member, role_named};

#[derive(sqlx::FromRow)]
struct Row {
    person_id: PersonId,
    venue_id: VenueId,
    user_id: Uuid,
    name: String,
    roles: Vec<String>,
    version: i32,
    ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Member {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let role = |name: &String| {
            role_named(name).ok_or_else(|| DbError::impossible_row(format!("the role {name}")))
        };
        Ok(Self {
            person_id: row.person_id,
            venue_id: row.venue_id,
            user_id: row.user_id,
            name: row.name,
            roles: row.roles.iter().map(role).collect::<DbResult<_>>()?,
            version: row.version,
            ended_at: row.ended_at,
        })
    }
}

macro_rules! select_staff {
    ($condition:literal) => {
        concat!(
            "select person_id, venue_id, user_id, name, roles, version, ended_at from fleet.staff where ",
            $condition
        )
    };
}

fn names(roles: &[StaffRole]) -> Vec<&'static str> {
    roles.iter().copied().map(StaffRole::name).collect()
}

/// Inserts somebody new.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    member: &Member,
    by: Uuid,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.staff (person_id, venue_id, user_id, name, roles, version, added_by,
             added_at, changed_by, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8)",
    )
    .bind(member.person_id)
    .bind(member.venue_id)
    .bind(member.user_id)
    .bind(&member.name)
    .bind(names(&member.roles))
    .bind(member.version)
    .bind(by)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Nobody else adds people to this venue until the commit.
pub(crate) async fn lock_list(conn: &mut PgConnection, venue: VenueId) -> DbResult<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('fleet/staff/' || $1::text, 0))")
        .bind(venue)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes somebody's next version.
pub(crate) async fn update(
    conn: &mut PgConnection,
    member: &Member,
    by: Uuid,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update fleet.staff set name = $2, roles = $3, version = $4, ended_at = $5, changed_by = $6,
             changed_at = $7
         where person_id = $1",
    )
    .bind(member.person_id)
    .bind(&member.name)
    .bind(names(&member.roles))
    .bind(member.version)
    .bind(member.ended_at)
    .bind(by)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Somebody of a venue, locked to commit.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    venue: VenueId,
    person: PersonId,
) -> DbResult<Option<Member>> {
    let row: Option<Row> =
        sqlx::query_as(select_staff!("venue_id = $1 and person_id = $2 for update"))
            .bind(venue)
            .bind(person)
            .fetch_optional(conn)
            .await?;
    row.map(Member::try_from).transpose()
}

/// Who works at a venue at present, locked to commit.
pub(crate) async fn lock_working(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Member>> {
    let rows: Vec<Row> = sqlx::query_as(select_staff!(
        "venue_id = $1 and ended_at is null order by person_id for update"
    ))
    .bind(venue)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Member::try_from).collect()
}

/// Gives somebody a version above theirs and above this one, which the feed has.
pub(crate) async fn raise_version(
    conn: &mut PgConnection,
    person: PersonId,
    above: i64,
) -> DbResult<i32> {
    sqlx::query_scalar(
        "update fleet.staff set version = least(greatest(version, $2), 2147483646) + 1
         where person_id = $1 returning version",
    )
    .bind(person)
    .bind(above)
    .fetch_one(conn)
    .await
    .map_err(DbError::from)
}

/// Somebody of a venue.
pub(crate) async fn find(
    conn: &mut PgConnection,
    venue: VenueId,
    person: PersonId,
) -> DbResult<Option<Member>> {
    let row: Option<Row> = sqlx::query_as(select_staff!("venue_id = $1 and person_id = $2"))
        .bind(venue)
        .bind(person)
        .fetch_optional(conn)
        .await?;
    row.map(Member::try_from).transpose()
}

/// Whose account works at a venue at present.
pub(crate) async fn find_by_account(
    conn: &mut PgConnection,
    venue: VenueId,
    user: Uuid,
) -> DbResult<Option<Member>> {
    let row: Option<Row> = sqlx::query_as(select_staff!(
        "venue_id = $1 and user_id = $2 and ended_at is null"
    ))
    .bind(venue)
    .bind(user)
    .fetch_optional(conn)
    .await?;
    row.map(Member::try_from).transpose()
}

/// Who works at a venue at present, by name.
pub(crate) async fn list(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Member>> {
    let rows: Vec<Row> = sqlx::query_as(select_staff!(
        "venue_id = $1 and ended_at is null order by name, person_id"
    ))
    .bind(venue)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Member::try_from).collect()
}

/// A page of those who work at a venue, and how many there are; with `ended` also of those who have left,
/// because journals name them too.
pub(crate) async fn list_page(
    conn: &mut PgConnection,
    venue: VenueId,
    ended: bool,
    paging: Paging,
) -> DbResult<(Vec<Member>, i64)> {
    let rows: Vec<Row> = sqlx::query_as(select_staff!(
        "venue_id = $1 and ($2 or ended_at is null)
         order by ended_at desc nulls first, name, person_id limit $3 offset $4"
    ))
    .bind(venue)
    .bind(ended)
    .bind(paging.limit())
    .bind(paging.offset())
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from fleet.staff where venue_id = $1 and ($2 or ended_at is null)",
    )
    .bind(venue)
    .bind(ended)
    .fetch_one(conn)
    .await?;
    let staff = rows.into_iter().map(Member::try_from);
    Ok((staff.collect::<DbResult<_>>()?, total))
}
