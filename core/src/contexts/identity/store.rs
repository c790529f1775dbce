//! The users table.

use sqlx::Row;
use uuid::Uuid;

use super::model::User;
use eventify_kernel::db::{DbResult, PgConnection};

pub(super) async fn find(conn: &mut PgConnection, iss: &str, sub: &str) -> DbResult<Option<User>> {
    let row = sqlx::query("select user_id, first_seen_at from users where iss = $1 and sub = $2")
        .bind(iss)
        .bind(sub)
        .fetch_optional(conn)
        .await?;
    let user = row.map(|row| -> Result<User, sqlx::Error> {
        Ok(User {
            user_id: row.try_get(0)?,
            first_seen_at: row.try_get(1)?,
        })
    });
    Ok(user.transpose()?)
}

/// Two first requests at the same moment: one row is written, both find it.
pub(super) async fn add(
    conn: &mut PgConnection,
    user: &User,
    iss: &str,
    sub: &str,
) -> DbResult<Uuid> {
    sqlx::query(
        "insert into users (user_id, iss, sub, first_seen_at) values ($1, $2, $3, $4)
         on conflict (iss, sub) do nothing",
    )
    .bind(user.user_id)
    .bind(iss)
    .bind(sub)
    .bind(user.first_seen_at)
    .execute(&mut *conn)
    .await?;
    let user_id = sqlx::query_scalar("select user_id from users where iss = $1 and sub = $2")
        .bind(iss)
        .bind(sub)
        .fetch_one(conn)
        .await?;
    Ok(user_id)
}
