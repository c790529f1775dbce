//! The table of users.

use eventify_kernel::db::{DbResult, PgConnection};
use uuid::Uuid;

use super::model::User;

pub(super) async fn find(conn: &mut PgConnection, iss: &str, sub: &str) -> DbResult<Option<User>> {
    let row = sqlx::query_as(
        "select user_id, first_seen_at from identity.users where iss = $1 and sub = $2",
    )
    .bind(iss)
    .bind(sub)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(user_id, first_seen_at)| User {
        user_id,
        first_seen_at,
    }))
}

/// Two first requests at the same time: one row is inserted, both return its id.
pub(super) async fn insert(
    conn: &mut PgConnection,
    user: &User,
    iss: &str,
    sub: &str,
) -> DbResult<Uuid> {
    sqlx::query(
        "insert into identity.users (user_id, iss, sub, first_seen_at) values ($1, $2, $3, $4)
         on conflict (iss, sub) do nothing",
    )
    .bind(user.user_id)
    .bind(iss)
    .bind(sub)
    .bind(user.first_seen_at)
    .execute(&mut *conn)
    .await?;
    let user_id =
        sqlx::query_scalar("select user_id from identity.users where iss = $1 and sub = $2")
            .bind(iss)
            .bind(sub)
            .fetch_one(conn)
            .await?;
    Ok(user_id)
}
