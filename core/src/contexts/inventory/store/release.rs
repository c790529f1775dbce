//! Gives places back: all that a hold has, or a part of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId};
use sqlx::FromRow;

use super::{column, int};
use crate::contexts::inventory::model::attempts::EndedBy;
use crate::contexts::inventory::model::hold::PartRelease;

/// Places that were given back, by hold.
pub(crate) type Released = BTreeMap<(HoldId, PerformanceId), ReleasedPlaces>;

#[derive(Clone, Debug, Default)]
pub(crate) struct ReleasedPlaces {
    pub(crate) seats: Vec<(SeatId, String)>,
    pub(crate) units: BTreeMap<BucketId, u32>,
}

#[derive(FromRow)]
struct SeatRow {
    hold_id: HoldId,
    performance_id: PerformanceId,
    seat_id: SeatId,
    label: String,
}

/// Units that a hold has of one slot.
#[derive(Clone, Copy, FromRow)]
struct Units {
    hold_id: HoldId,
    performance_id: PerformanceId,
    bucket_id: BucketId,
    slot: i16,
    #[sqlx(try_from = "i32")]
    quantity: u32,
}

/// Ends locked holds and gives back all that they have.
pub(crate) async fn release_all(
    conn: &mut PgConnection,
    ids: &[HoldId],
    by: EndedBy,
    now: DateTime<Utc>,
) -> DbResult<Released> {
    sqlx::query(
        "update inventory.holds set status = 'released', ended_by = $2, updated_at = $3,
             version = version + 1
         where hold_id = any($1)",
    )
    .bind(ids)
    .bind(by.name())
    .bind(now)
    .execute(&mut *conn)
    .await?;
    let mut released = delete_seats(conn, ids, None).await?;
    let units: Vec<Units> = sqlx::query_as(
        "delete from inventory.bucket_allocations where hold_id = any($1)
         returning hold_id, performance_id, bucket_id, slot, quantity",
    )
    .bind(ids)
    .fetch_all(&mut *conn)
    .await?;
    return_units(conn, &units).await?;
    add_units(&mut released, &units);
    Ok(released)
}

/// Gives back a part of a locked hold, once; `None` when that was done before.
pub(crate) async fn release_part(
    conn: &mut PgConnection,
    part: &PartRelease,
    now: DateTime<Utc>,
) -> DbResult<Option<Released>> {
    let first = sqlx::query(
        "insert into inventory.returned_parts (return_id, hold_id, returned_at)
         values ($1, $2, $3) on conflict do nothing",
    )
    .bind(part.id)
    .bind(part.hold)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if first.rows_affected() == 0 {
        return Ok(None);
    }
    let mut released = delete_seats(conn, &[part.hold], Some(&part.seats)).await?;
    let mut units = Vec::new();
    for (bucket, quantity) in &part.buckets {
        units.extend(reduce_units(conn, part.hold, *bucket, *quantity).await?);
    }
    return_units(conn, &units).await?;
    add_units(&mut released, &units);
    sqlx::query(
        "update inventory.holds set version = version + 1, updated_at = $2 where hold_id = $1",
    )
    .bind(part.hold)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(Some(released))
}

/// Whether a part of a hold went back: its request can't be answered as it was any more.
pub(crate) async fn has_returned_parts(conn: &mut PgConnection, hold: HoldId) -> DbResult<bool> {
    let any = sqlx::query_scalar(
        "select exists (select from inventory.returned_parts where hold_id = $1)",
    )
    .bind(hold)
    .fetch_one(conn)
    .await?;
    Ok(any)
}

/// Deletes seat allocations: all of these holds, or the named ones.
async fn delete_seats(
    conn: &mut PgConnection,
    holds: &[HoldId],
    only: Option<&[SeatId]>,
) -> DbResult<Released> {
    let rows: Vec<SeatRow> = sqlx::query_as(
        "with freed as (
             delete from inventory.seat_allocations
             where hold_id = any($1) and ($2::uuid[] is null or seat_id = any($2))
             returning hold_id, performance_id, seat_id
         )
         select hold_id, performance_id, seat_id, label
         from freed join inventory.performance_seats using (performance_id, seat_id)
         order by seat_id",
    )
    .bind(holds)
    .bind(only)
    .fetch_all(conn)
    .await?;
    let mut released = Released::new();
    for row in rows {
        let of_hold = released.entry((row.hold_id, row.performance_id));
        of_hold.or_default().seats.push((row.seat_id, row.label));
    }
    Ok(released)
}

/// Takes units away from a locked hold, at most as many as it has.
async fn reduce_units(
    conn: &mut PgConnection,
    hold: HoldId,
    bucket: BucketId,
    quantity: u32,
) -> DbResult<Vec<Units>> {
    let rows: Vec<Units> = sqlx::query_as(
        "select hold_id, performance_id, bucket_id, slot, quantity
         from inventory.bucket_allocations where hold_id = $1 and bucket_id = $2 order by slot",
    )
    .bind(hold)
    .bind(bucket)
    .fetch_all(&mut *conn)
    .await?;
    let mut missing = quantity;
    let mut returned = Vec::new();
    for had in rows {
        let part = had.quantity.min(missing);
        if part == 0 {
            break;
        }
        missing -= part;
        let statement = if part == had.quantity {
            "delete from inventory.bucket_allocations
             where hold_id = $1 and bucket_id = $2 and slot = $3 and quantity >= $4"
        } else {
            "update inventory.bucket_allocations set quantity = quantity - $4
             where hold_id = $1 and bucket_id = $2 and slot = $3"
        };
        sqlx::query(statement)
            .bind(hold)
            .bind(bucket)
            .bind(had.slot)
            .bind(int(part)?)
            .execute(&mut *conn)
            .await?;
        returned.push(Units {
            quantity: part,
            ..had
        });
    }
    Ok(returned)
}

/// Puts units back into their slots, locked in order first.
async fn return_units(conn: &mut PgConnection, units: &[Units]) -> DbResult<()> {
    let mut slots: BTreeMap<(PerformanceId, BucketId, i16), u32> = BTreeMap::new();
    for part in units {
        let slot = slots.entry((part.performance_id, part.bucket_id, part.slot));
        *slot.or_default() += part.quantity;
    }
    if slots.is_empty() {
        return Ok(());
    }
    let performances = column(slots.keys(), |(performance, ..)| *performance);
    let buckets = column(slots.keys(), |(_, bucket, _)| *bucket);
    let numbers = column(slots.keys(), |(.., slot)| *slot);
    let quantities = slots.values().map(|quantity| int(*quantity));
    sqlx::query(
        "select from inventory.bucket_slots
         where (performance_id, bucket_id, slot)
             in (select * from unnest($1::uuid[], $2::uuid[], $3::smallint[]))
         order by performance_id, bucket_id, slot for update",
    )
    .bind(&performances)
    .bind(&buckets)
    .bind(&numbers)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update inventory.bucket_slots as held set reserved = held.reserved - back.quantity
         from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::int[])
             as back (performance_id, bucket_id, slot, quantity)
         where held.performance_id = back.performance_id and held.bucket_id = back.bucket_id
             and held.slot = back.slot",
    )
    .bind(performances)
    .bind(buckets)
    .bind(numbers)
    .bind(quantities.collect::<DbResult<Vec<_>>>()?)
    .execute(conn)
    .await?;
    Ok(())
}

fn add_units(released: &mut Released, units: &[Units]) {
    for part in units {
        let of_hold = released.entry((part.hold_id, part.performance_id));
        *of_hold
            .or_default()
            .units
            .entry(part.bucket_id)
            .or_default() += part.quantity;
    }
}
