//! Taking places: all or nothing, in the order of locks that the module's head tells.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, UserId};
use uuid::Uuid;

use super::{count, int};
use crate::contexts::inventory::model::hold::{BucketShortage, Held, HoldRequest};
use crate::contexts::inventory::model::slots::{self, Slot, Taken};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// How many places of a performance a customer keeps from others: held or confirmed, not sold.
/// Requests of the same customer for the same performance come one after another from here on to
/// their transactions' ends, so that two at once don't both find room.
pub(crate) async fn held_by(
    conn: &mut PgConnection,
    customer: UserId,
    performance: PerformanceId,
    now: DateTime<Utc>,
) -> DbResult<u64> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text || $2::text, 0))")
        .bind(customer.as_uuid())
        .bind(performance.as_uuid())
        .execute(&mut *conn)
        .await?;
    let held: i64 = sqlx::query_scalar(
        "with mine as (
             select hold_id from holds where customer_id = $1 and performance_id = $2
                 and (status = 'confirmed' or status = 'held' and expires_at > $3))
         select (select count(*) from seat_allocations where hold_id in (select hold_id from mine))
             + (select coalesce(sum(quantity), 0) from bucket_allocations
                where hold_id in (select hold_id from mine))",
    )
    .bind(customer.as_uuid())
    .bind(performance.as_uuid())
    .bind(now)
    .fetch_one(conn)
    .await?;
    u64::try_from(held).map_err(DbError::impossible_row)
}

/// Enters a hold; false when its id is known.
pub(crate) async fn add_hold(
    conn: &mut PgConnection,
    request: &HoldRequest,
    holder: Option<Uuid>,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into holds (hold_id, performance_id, status, request_hash, holder_id, expires_at,
             created_at, updated_at, version, owner_id, customer_id)
         values ($1, $2, 'held', $3, $4, $5, $6, $6, 1, $7, $8)
         on conflict do nothing",
    )
    .bind(request.hold.as_uuid())
    .bind(request.performance.as_uuid())
    .bind(request.fingerprint().0.as_slice())
    .bind(holder)
    .bind(request.expires_at)
    .bind(now)
    .bind(request.owner)
    .bind(request.customer.map(|customer| customer.id.as_uuid()))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes seats; answers the labels of those that somebody else has. Whoever inserts the same seat
/// at the same time waits here, in the order of the seats, for the other to commit.
pub(crate) async fn take_seats(conn: &mut PgConnection, held: &Held) -> DbResult<Vec<String>> {
    if held.seats.is_empty() {
        return Ok(vec![]);
    }
    let won: Vec<Uuid> = sqlx::query_scalar(
        "insert into seat_allocations (performance_id, seat_id, hold_id, expires_at)
         select $1, seat_id, $2, $3 from unnest($4::uuid[]) as wanted (seat_id) order by seat_id
         on conflict do nothing
         returning seat_id",
    )
    .bind(held.performance.as_uuid())
    .bind(held.hold.as_uuid())
    .bind(held.expires_at)
    .bind(
        held.seats
            .iter()
            .map(|seat| seat.seat.as_uuid())
            .collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    let lost = held
        .seats
        .iter()
        .filter(|seat| !won.contains(&seat.seat.as_uuid()));
    Ok(lost.map(|seat| seat.label.clone()).collect())
}

/// Takes units of a zone from the one slot that the hold's id chooses; `None` when it has too few.
/// The transaction must then be given up: it may have kept a lock on that slot, out of turn.
pub(crate) async fn take_from_one_slot(
    conn: &mut PgConnection,
    (performance, bucket): (PerformanceId, BucketId),
    (hold, slots): (HoldId, u32),
    wanted: u32,
) -> DbResult<Option<Taken>> {
    let slot = slots::first_choice(hold, slots);
    let done = sqlx::query(
        "update bucket_slots set reserved = reserved + $4
         where performance_id = $1 and bucket_id = $2 and slot = $3 and reserved + $4 <= capacity",
    )
    .bind(performance.as_uuid())
    .bind(bucket.as_uuid())
    .bind(slot)
    .bind(int(wanted)?)
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(Taken {
        slot,
        quantity: wanted,
    }))
}

/// Takes units of a zone from wherever there are some, under the locks of all its slots.
pub(crate) async fn take_from_all_slots(
    conn: &mut PgConnection,
    performance: PerformanceId,
    bucket: BucketId,
    wanted: u32,
) -> DbResult<Result<Vec<Taken>, BucketShortage>> {
    let slots = lock_slots(conn, performance, bucket).await?;
    let Some(taken) = slots::gather(&slots, wanted) else {
        let remaining = slots
            .iter()
            .map(|slot| slot.capacity.saturating_sub(slot.reserved))
            .sum();
        return Ok(Err(BucketShortage {
            bucket,
            wanted,
            remaining,
        }));
    };
    for Taken { slot, quantity } in &taken {
        sqlx::query(
            "update bucket_slots set reserved = reserved + $4
             where performance_id = $1 and bucket_id = $2 and slot = $3",
        )
        .bind(performance.as_uuid())
        .bind(bucket.as_uuid())
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
    let rows: Vec<(i16, i32, i32)> = sqlx::query_as(
        "select slot, capacity, reserved from bucket_slots
         where performance_id = $1 and bucket_id = $2 order by slot for update",
    )
    .bind(performance.as_uuid())
    .bind(bucket.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(slot, capacity, reserved)| {
            Ok(Slot {
                slot,
                capacity: count(capacity.into())?,
                reserved: count(reserved.into())?,
            })
        })
        .collect()
}

/// Notes where a hold's units came from.
pub(crate) async fn note_units(
    conn: &mut PgConnection,
    hold: HoldId,
    performance: PerformanceId,
    taken: &BTreeMap<BucketId, Vec<Taken>>,
) -> DbResult<()> {
    for (bucket, parts) in taken {
        for part in parts {
            sqlx::query(
                "insert into bucket_allocations
                     (hold_id, performance_id, bucket_id, slot, quantity)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(hold.as_uuid())
            .bind(performance.as_uuid())
            .bind(bucket.as_uuid())
            .bind(part.slot)
            .bind(int(part.quantity)?)
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(())
}

/// Spreads another capacity over a zone's slots and answers what is left; nothing that is reserved
/// moves. `None`: there is no such zone.
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
            "update bucket_slots set capacity = $4
             where performance_id = $1 and bucket_id = $2 and slot = $3",
        )
        .bind(performance.as_uuid())
        .bind(bucket.as_uuid())
        .bind(slot.slot)
        .bind(int(slot.capacity)?)
        .execute(&mut *conn)
        .await?;
    }
    let remaining = after.iter().map(|slot| slot.capacity - slot.reserved).sum();
    Ok(Some(Ok(remaining)))
}
