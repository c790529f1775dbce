//! The inbox: message ids whose effect has been committed, written in the effect's transaction.

use sqlx::PgConnection;
use uuid::Uuid;

use super::DbResult;

/// Notes a message; false when its effect was committed before. A second delivery at the same
/// moment waits here for the first one's transaction.
pub(super) async fn first_time(
    conn: &mut PgConnection,
    message_id: Uuid,
    source: &str,
    correlation: Uuid,
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into inbox (message_id, source, correlation_id) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(message_id)
    .bind(source)
    .bind(correlation)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Which of these messages have had their effect.
///
/// # Errors
/// The query failed.
pub async fn processed(conn: &mut PgConnection, ids: &[Uuid]) -> DbResult<Vec<Uuid>> {
    let rows = sqlx::query_scalar("select message_id from inbox where message_id = any($1)")
        .bind(ids)
        .fetch_all(conn)
        .await?;
    Ok(rows)
}
