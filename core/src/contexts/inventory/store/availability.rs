//! What is left of a performance, counted at intervals and not at each sale.

use std::collections::BTreeSet;

use eventify_contracts::inventory::{AvailabilityUpdated, BucketLevel, SectionLevel};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, PerformanceId};
use sqlx::FromRow;

/// Changes that one run of the job takes.
const MAX_CHANGES: i64 = 10_000;

/// Units of a section or zone, by its key.
#[derive(FromRow)]
struct LevelRow<Key> {
    key: Key,
    #[sqlx(try_from = "i64")]
    remaining: u32,
    #[sqlx(try_from = "i64")]
    capacity: u32,
}

/// A performance's stock changed. A row for each change, so that no sale waits for another.
pub(crate) async fn insert_change(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query("insert into inventory.availability_changes (performance_id) values ($1)")
        .bind(performance)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes the changes and returns the performances whose stock changed.
pub(crate) async fn take_changes(conn: &mut PgConnection) -> DbResult<BTreeSet<PerformanceId>> {
    let changed = sqlx::query_scalar(
        "delete from inventory.availability_changes where change_id in
             (select change_id from inventory.availability_changes order by change_id limit $1)
         returning performance_id",
    )
    .bind(MAX_CHANGES)
    .fetch_all(conn)
    .await?;
    Ok(changed.into_iter().collect())
}

/// The version of the next message about a performance's stock.
pub(crate) async fn next_version(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<i32> {
    let version = sqlx::query_scalar(
        "update inventory.performances set availability_version = availability_version + 1
         where performance_id = $1 returning availability_version",
    )
    .bind(performance)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

pub(crate) async fn count_left(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<AvailabilityUpdated> {
    let sections: Vec<LevelRow<String>> = sqlx::query_as(
        "select s.section as key, count(*) filter (where a.seat_id is null) as remaining,
             count(*) as capacity
         from inventory.performance_seats s
             left join inventory.seat_allocations a using (performance_id, seat_id)
         where s.performance_id = $1 and not s.blocked group by s.section order by s.section",
    )
    .bind(performance)
    .fetch_all(&mut *conn)
    .await?;
    let buckets: Vec<LevelRow<BucketId>> = sqlx::query_as(
        "select bucket_id as key, sum(capacity - reserved) as remaining, sum(capacity) as capacity
         from inventory.bucket_slots
         where performance_id = $1 group by bucket_id order by bucket_id",
    )
    .bind(performance)
    .fetch_all(conn)
    .await?;
    let remaining = sections.iter().map(|row| row.remaining);
    let capacity = sections.iter().map(|row| row.capacity);
    Ok(AvailabilityUpdated {
        performance_id: performance,
        remaining: remaining
            .chain(buckets.iter().map(|row| row.remaining))
            .sum(),
        capacity: capacity.chain(buckets.iter().map(|row| row.capacity)).sum(),
        by_section: sections.into_iter().map(SectionLevel::from).collect(),
        by_bucket: buckets.into_iter().map(BucketLevel::from).collect(),
    })
}

impl From<LevelRow<String>> for SectionLevel {
    fn from(row: LevelRow<String>) -> Self {
        Self {
            section: row.key,
            remaining: row.remaining,
            capacity: row.capacity,
        }
    }
}

impl From<LevelRow<BucketId>> for BucketLevel {
    fn from(row: LevelRow<BucketId>) -> Self {
        Self {
            bucket_id: row.key,
            remaining: row.remaining,
            capacity: row.capacity,
        }
    }
}
