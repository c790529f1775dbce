//! Takes places, all or nothing, in the order of locks that `store/mod.rs` gives.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId, UserId};
use sqlx::FromRow;

use super::{column, int};
use crate::contexts::inventory::model::hold::{BucketShortage, Held};
use crate::contexts::inventory::model::slots::{self, Slot, Taken};

#[derive(FromRow)]
struct SlotRow {
    slot: i16,
    #[sqlx(try_from = "i32")]
    capacity: u32,
    #[sqlx(try_from = "i32")]
    reserved: u32,
}

/// How many places of a performance a customer has held or confirmed, but not bought; without those that a box
/// office has taken for them.
/// Requests of the same customer for the same performance run one after another from here to the
/// ends of their transactions; otherwise two at once could both find room.
pub(crate) async fn count_held_by(
    conn: &mut PgConnection,
    customer: UserId,
    performance: PerformanceId,
    now: DateTime<Utc>,
) -> DbResult<u64> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text || $2::text, 0))")
        .bind(customer)
        .bind(performance)
        .execute(&mut *conn)
        .await?;
    let held: i64 = sqlx::query_scalar(
        "with mine as (
             select hold_id from inventory.holds where customer_id = $1 and performance_id = $2
                 and seller_id is null
                 and (status = 'confirmed' or status = 'held' and expires_at > $3))
         select (select count(*) from inventory.seat_allocations
                 where hold_id in (select hold_id from mine))
             + (select coalesce(sum(quantity), 0) from inventory.bucket_allocations
                where hold_id in (select hold_id from mine))",
    )
    .bind(customer)
    .bind(performance)
    .bind(now)
    .fetch_one(conn)
    .await?;
    u64::try_from(held).map_err(DbError::impossible_row)
}

/// Takes seats; returns the labels of those that another hold has. A concurrent insert of the same
/// seat waits here, in the order of the seats, for the other to commit.
pub(crate) async fn take_seats(conn: &mut PgConnection, held: &Held) -> DbResult<Vec<String>> {
    if held.seats.is_empty() {
        return Ok(vec![]);
    }
    let won: Vec<SeatId> = sqlx::query_scalar(
        "insert into inventory.seat_allocations (performance_id, seat_id, hold_id, expires_at)
         select $1, seat_id, $2, $3 from unnest($4::uuid[]) as wanted (seat_id) order by seat_id
         on conflict do nothing
         returning seat_id",
    )
    .bind(held.performance)
    .bind(held.hold)
    .bind(held.expires_at)
    .bind(column(&held.seats, |seat| seat.seat))
    .fetch_all(conn)
    .await?;
    let lost = held.seats.iter().filter(|seat| !won.contains(&seat.seat));
    Ok(lost.map(|seat| seat.label.clone()).collect())
}

/// Takes units of a zone from the one slot that the hold's id chooses; `None` when it has too few.
/// The transaction must then be rolled back: it may have kept a lock on that slot, out of turn.
pub(crate) async fn take_from_one_slot(
    conn: &mut PgConnection,
    (performance, bucket): (PerformanceId, BucketId),
    (hold, slots): (HoldId, u32),
    wanted: u32,
) -> DbResult<Option<Taken>> {
    let slot = slots::first_choice(hold, slots);
    let done = sqlx::query(
        "update inventory.bucket_slots set reserved = reserved + $4
         where performance_id = $1 and bucket_id = $2 and slot = $3 and reserved + $4 <= capacity",
    )
    .bind(performance)
    .bind(bucket)
    .bind(slot)
    .bind(int(wanted)?)
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(Taken {
        slot,
        quantity: wanted,
    }))
}

/// Takes units of a zone from any of its slots, under the locks of all of them.
pub(crate) async fn take_from_all_slots(
    conn: &mut PgConnection,
    performance: PerformanceId,
    bucket: BucketId,
    wanted: u32,
) -> DbResult<Result<Vec<Taken>, BucketShortage>> {
    let slots = lock_slots(conn, performance, bucket).await?;
    let Some(taken) = slots::gather(&slots, wanted) else {
        return Ok(Err(BucketShortage {
            bucket,
            wanted,
            remaining: slots.iter().map(|slot| slot.free()).sum(),
        }));
    };
    for Taken { slot, quantity } in &taken {
        sqlx::query(
            "update inventory.bucket_slots set reserved = reserved + $4
             where performance_id = $1 and bucket_id = $2 and slot = $3",
        )
        .bind(performance)
        .bind(bucket)
        .bind(slot)
        .bind(int(*quantity)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(Ok(taken))
}

async fn lock_slots(
    conn: &mut PgConnection,
    performance: PerformanceId,
    bucket: BucketId,
) -> DbResult<Vec<Slot>> {
    let rows: Vec<SlotRow> = sqlx::query_as(
        "select slot, capacity, reserved from inventory.bucket_slots
         where performance_id = $1 and bucket_id = $2 order by slot for update",
    )
    .bind(performance)
    .bind(bucket)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Slot::from).collect())
}

/// Records which slots a hold's units came from.
pub(crate) async fn insert_units(
    conn: &mut PgConnection,
    hold: HoldId,
    performance: PerformanceId,
    taken: &BTreeMap<BucketId, Vec<Taken>>,
) -> DbResult<()> {
    for (bucket, parts) in taken {
        for part in parts {
            sqlx::query(
                "insert into inventory.bucket_allocations
                     (hold_id, performance_id, bucket_id, slot, quantity)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(hold)
            .bind(performance)
            .bind(bucket)
            .bind(part.slot)
            .bind(int(part.quantity)?)
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(())
}

/// Spreads a new capacity over a zone's slots and returns what is left; reserved units stay where
/// they are. `None`: there is no such zone.
pub(crate) async fn resize_zone(
    conn: &mut PgConnection,
    performance: PerformanceId,
    bucket: BucketId,
    capacity: u32,
) -> DbResult<Option<Result<u32, slots::BelowReserved>>> {
    let before = lock_slots(conn, performance, bucket).await?;
    if before.is_empty() {
        return Ok(None);
    }
    let after = match slots::resize(&before, capacity) {
        Ok(after) => after,
        Err(refused) => return Ok(Some(Err(refused))),
    };
    for slot in &after {
        sqlx::query(
            "update inventory.bucket_slots set capacity = $4
             where performance_id = $1 and bucket_id = $2 and slot = $3",
        )
        .bind(performance)
        .bind(bucket)
        .bind(slot.slot)
        .bind(int(slot.capacity)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(Some(Ok(after.iter().map(|slot| slot.free()).sum())))
}

impl From<SlotRow> for Slot {
    fn from(row: SlotRow) -> Self {
        Self {
            slot: row.slot,
            capacity: row.capacity,
            reserved: row.reserved,
        }
    }
}
