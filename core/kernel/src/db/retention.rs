//! Old rows go, in small transactions, each of which walks on from where the one before has ended: none
//! reads the young rows, and no index is there for it alone.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::DbResult;

/// Rows that one transaction looks at.
pub const BATCH: i64 = 1_000;
/// Batches of one run: what is left after a rush, or an upgrade, waits for the next.
const MAX_BATCHES: usize = 200;
/// What is sent again has its inbox row for longer than the sender can have its outbox row.
const INBOX_OUTLIVES: TimeDelta = TimeDelta::days(7);

/// A batch of the outbox, by position.
#[derive(sqlx::FromRow)]
struct OutboxBatch {
    last: Option<i64>,
    /// All of it is older than what is kept, so there may be more.
    is_old: bool,
    deleted: i64,
}

/// Deletes outbox rows that the broker has had for so long, and that the venues' feeds hold where they
/// have to. What waits for either stays, however old it is. By the clock of the database, which wrote the rows.
///
/// # Errors
/// A statement failed; what was deleted before stays so.
pub async fn sweep_outbox(conn: &mut PgConnection, keep: TimeDelta) -> DbResult<u64> {
    let (mut after, mut deleted) = (0_i64, 0);
    for _ in 0..MAX_BATCHES {
        let batch: OutboxBatch = sqlx::query_as(
            "with batch as (
                 select position, created_at < cutoff as is_old,
                     published_at < cutoff and (not feeds_venues or settled_at is not null) as is_done
                 from outbox, (select now() - $2 * interval '1 second' as cutoff) as kept
                 where position > $1 order by position limit $3),
             gone as (
                 delete from outbox using batch
                 where outbox.position = batch.position and batch.is_old and batch.is_done
                 returning outbox.position)
             select max(position) as last, coalesce(bool_and(is_old), false) as is_old,
                 (select count(*) from gone) as deleted
             from batch",
        )
        .bind(after)
        .bind(keep.num_seconds())
        .bind(BATCH)
        .fetch_one(&mut *conn)
        .await?;
        deleted += u64::try_from(batch.deleted).unwrap_or_default();
        match batch.last {
            Some(last) if batch.is_old => after = last,
            Some(_) | None => break,
        }
    }
    Ok(deleted)
}

/// Deletes inbox rows of messages that nobody sends again: made before what is kept, and had their effect
/// before it too. Ids of messages are in the order in which they were made.
///
/// # Errors
/// A statement failed; what was deleted before stays so.
pub async fn sweep_inbox(
    conn: &mut PgConnection,
    keep: TimeDelta,
    now: DateTime<Utc>,
) -> DbResult<u64> {
    let keep = keep + INBOX_OUTLIVES;
    let end = first_id_of(now - keep);
    let (mut after, mut deleted) = (Uuid::nil(), 0);
    for _ in 0..MAX_BATCHES {
        let (last, gone): (Option<Uuid>, i64) = sqlx::query_as(
            "with batch as (
                 select message_id, received_at from inbox
                 where message_id > $1 and message_id < $2 order by message_id limit $4),
             gone as (
                 delete from inbox using batch
                 where inbox.message_id = batch.message_id
                     and batch.received_at < now() - $3 * interval '1 second'
                 returning inbox.message_id)
             select (select message_id from batch order by message_id desc limit 1),
                 (select count(*) from gone)",
        )
        .bind(after)
        .bind(end)
        .bind(keep.num_seconds())
        .bind(BATCH)
        .fetch_one(&mut *conn)
        .await?;
        deleted += u64::try_from(gone).unwrap_or_default();
        let Some(last) = last else { break };
        after = last;
    }
    Ok(deleted)
}

/// Below all ids of version 7 that were made at a moment or later.
fn first_id_of(moment: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(moment.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn ids_that_were_made_before_a_moment_are_below_it() {
        let clock = Clock::movable();
        let before = clock.new_id();
        clock.advance(TimeDelta::milliseconds(2));
        let bound = first_id_of(clock.now());
        assert!(before < bound);
        assert!(bound < clock.new_id());
    }
}
