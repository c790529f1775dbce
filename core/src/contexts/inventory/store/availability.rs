//! What is left of a performance, counted now and then and not at each sale.

use std::collections::BTreeSet;

use eventify_protocol::ids::{BucketId, PerformanceId};
use uuid::Uuid;

use super::count;
use eventify_contracts::inventory::{
    AvailabilityUpdated, BucketLevel, CapacityAdjusted, SectionLevel,
};
use eventify_kernel::db::{DbResult, PgConnection};

/// Changes swept up at once.
const MAX_CHANGES: i64 = 10_000;

/// Notes that a performance's stock changed: a row of its own, so that nobody waits for anybody.
pub(crate) async fn note_change(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query("insert into availability_changes (performance_id) values ($1)")
        .bind(performance.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Sweeps up the changes; answers whose stock changed.
pub(crate) async fn take_changes(conn: &mut PgConnection) -> DbResult<BTreeSet<PerformanceId>> {
    let changed: Vec<Uuid> = sqlx::query_scalar(
        "delete from availability_changes where change_id in
             (select change_id from availability_changes order by change_id limit $1)
         returning performance_id",
    )
    .bind(MAX_CHANGES)
    .fetch_all(conn)
    .await?;
    Ok(changed.into_iter().map(PerformanceId).collect())
}

/// The version of the next statement about a performance's stock.
pub(crate) async fn next_version(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<i32> {
    let version = sqlx::query_scalar(
        "update performances set availability_version = availability_version + 1
         where performance_id = $1 returning availability_version",
    )
    .bind(performance.as_uuid())
    .fetch_one(conn)
    .await?;
    Ok(version)
}

/// Counts what is left.
pub(crate) async fn count_left(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<AvailabilityUpdated> {
    let by_section = sections(conn, performance).await?;
    let by_bucket = buckets(conn, performance).await?;
    let levels = || {
        let sections = by_section
            .iter()
            .map(|level| (level.remaining, level.capacity));
        sections.chain(
            by_bucket
                .iter()
                .map(|level| (level.remaining, level.capacity)),
        )
    };
    Ok(AvailabilityUpdated {
        performance_id: performance,
        remaining: levels().map(|(remaining, _)| remaining).sum(),
        capacity: levels().map(|(_, capacity)| capacity).sum(),
        by_section,
        by_bucket,
    })
}

async fn sections(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Vec<SectionLevel>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select s.section, count(*) filter (where a.seat_id is null), count(*)
         from performance_seats s left join seat_allocations a using (performance_id, seat_id)
         where s.performance_id = $1 and not s.blocked group by s.section order by s.section",
    )
    .bind(performance.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(section, remaining, capacity)| {
            Ok(SectionLevel {
                section,
                remaining: count(remaining)?,
                capacity: count(capacity)?,
            })
        })
        .collect()
}

async fn buckets(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Vec<BucketLevel>> {
    let rows: Vec<(Uuid, i64, i64)> = sqlx::query_as(
        "select bucket_id, sum(capacity - reserved), sum(capacity)
         from bucket_slots where performance_id = $1 group by bucket_id order by bucket_id",
    )
    .bind(performance.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(bucket, remaining, capacity)| {
            let bucket_id = BucketId(bucket);
            Ok(BucketLevel {
                bucket_id,
                remaining: count(remaining)?,
                capacity: count(capacity)?,
            })
        })
        .collect()
}

/// The statement about one zone.
pub(crate) fn adjusted(performance: PerformanceId, level: &BucketLevel) -> CapacityAdjusted {
    CapacityAdjusted {
        performance_id: performance,
        bucket_id: level.bucket_id,
        remaining: level.remaining,
        capacity: level.capacity,
    }
}
