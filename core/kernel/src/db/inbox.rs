//! The inbox: message ids whose effect has been committed, written in the effect's transaction.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::DbResult;
use crate::event::Envelope;

/// Notes messages, and answers which were not there. A second delivery at the same moment waits here
/// for the first one's transaction; in the order of the ids, so that two groups never wait for each
/// other.
pub(super) async fn first_time(
    conn: &mut PgConnection,
    messages: &[Envelope],
) -> DbResult<BTreeSet<Uuid>> {
    let correlations = messages.iter().map(|it| it.correlationid.as_uuid());
    let new: Vec<Uuid> = sqlx::query_scalar(
        "insert into inbox (message_id, source, correlation_id)
         select message_id, source, correlation_id
         from unnest($1::uuid[], $2::text[], $3::uuid[]) as row (message_id, source, correlation_id)
         order by message_id
         on conflict do nothing returning message_id",
    )
    .bind(messages.iter().map(|it| it.id).collect::<Vec<_>>())
    .bind(
        messages
            .iter()
            .map(|it| it.source.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(correlations.collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(new.into_iter().collect())
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
