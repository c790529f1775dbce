//! Sign-ins of staff at a scanner.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{NodeId, PersonId, ScannerId, SignInId};

use crate::contexts::fleet::model::sign_ins::{SignIn, State};

#[derive(sqlx::FromRow)]
struct Row {
    state: String,
    user_code: Option<String>,
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    person_id: Option<PersonId>,
    asked_at: DateTime<Utc>,
}

impl TryFrom<Row> for SignIn {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let code = row
            .user_code
            .zip(row.verification_uri)
            .zip(row.verification_uri_complete)
            .zip(row.expires_at);
        let state = match (row.state.as_str(), code, row.person_id) {
            ("beginning", ..) => State::Beginning,
            ("open", Some((((user_code, page), complete), expires_at)), _) => State::Open {
                user_code,
                verification_uri: page,
                verification_uri_complete: complete,
                expires_at,
            },
            ("granted", _, Some(person)) => State::Granted(person),
            ("denied", ..) => State::Denied,
            ("expired", ..) => State::Expired,
            ("not_staff", ..) => State::NotStaff,
            ("unavailable", ..) => State::Unavailable,
            (other, ..) => {
                return Err(DbError::impossible_row(format!(
                    "a sign-in that is {other}"
                )));
            }
        };
        Ok(Self {
            state,
            asked_at: row.asked_at,
        })
    }
}

fn name(state: &State) -> &'static str {
    match state {
        State::Beginning => "beginning",
        State::Open { .. } => "open",
        State::Granted(_) => "granted",
        State::Denied => "denied",
        State::Expired => "expired",
        State::NotStaff => "not_staff",
        State::Unavailable => "unavailable",
    }
}

/// Inserts one that begins; false if it is there already.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: SignInId,
    (node, scanner): (NodeId, ScannerId),
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into fleet.sign_ins (sign_in_id, node_id, scanner_id, state, begun_at, asked_at)
         values ($1, $2, $3, 'beginning', $4, $4) on conflict (sign_in_id) do nothing",
    )
    .bind(id)
    .bind(node)
    .bind(scanner)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// One of a node.
pub(crate) async fn find(
    conn: &mut PgConnection,
    id: SignInId,
    node: NodeId,
) -> DbResult<Option<SignIn>> {
    let row: Option<Row> = sqlx::query_as(
        "select state, user_code, verification_uri, verification_uri_complete, expires_at, person_id,
             asked_at
         from fleet.sign_ins where sign_in_id = $1 and node_id = $2",
    )
    .bind(id)
    .bind(node)
    .fetch_optional(conn)
    .await?;
    row.map(SignIn::try_from).transpose()
}

/// How many of a node are open, and how many were begun since a moment.
pub(crate) async fn count(
    conn: &mut PgConnection,
    node: NodeId,
    (asked_since, begun_since): (DateTime<Utc>, DateTime<Utc>),
) -> DbResult<(i64, i64)> {
    let counts = sqlx::query_as(
        "select count(*) filter (where state in ('beginning', 'open') and asked_at > $2),
             count(*) filter (where begun_at > $3)
         from fleet.sign_ins where node_id = $1",
    )
    .bind(node)
    .bind(asked_since)
    .bind(begun_since)
    .fetch_one(conn)
    .await?;
    Ok(counts)
}

/// Writes how one stands, while it has not ended.
pub(crate) async fn update(
    conn: &mut PgConnection,
    id: SignInId,
    state: &State,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let code = if let State::Open {
        user_code,
        verification_uri,
        verification_uri_complete,
        expires_at,
    } = state
    {
        Some((
            user_code,
            verification_uri,
            verification_uri_complete,
            expires_at,
        ))
    } else {
        None
    };
    let person = if let State::Granted(person) = state {
        Some(person)
    } else {
        None
    };
    sqlx::query(
        "update fleet.sign_ins set state = $2, user_code = $3, verification_uri = $4,
             verification_uri_complete = $5, expires_at = $6, person_id = $7, asked_at = $8
         where sign_in_id = $1 and state in ('beginning', 'open')",
    )
    .bind(id)
    .bind(name(state))
    .bind(code.map(|code| code.0))
    .bind(code.map(|code| code.1))
    .bind(code.map(|code| code.2))
    .bind(code.map(|code| code.3))
    .bind(person)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The provider was asked of one.
pub(crate) async fn mark_asked(
    conn: &mut PgConnection,
    id: SignInId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("update fleet.sign_ins set asked_at = $2 where sign_in_id = $1")
        .bind(id)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes those of before: nobody waits for them any more.
pub(crate) async fn delete_before(conn: &mut PgConnection, before: DateTime<Utc>) -> DbResult<u64> {
    let done = sqlx::query("delete from fleet.sign_ins where begun_at < $1")
        .bind(before)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
