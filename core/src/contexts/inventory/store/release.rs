//! Giving places back, selling them, binding them: everything that happens to a hold later.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, HoldId, OrderId, PerformanceId, SeatId, UserId};
use sqlx::Row;
use uuid::Uuid;

use super::stock::status_of;
use super::{count, int};
use crate::contexts::inventory::model::hold::PartRelease;
use crate::contexts::inventory::model::stock::{HoldStatus, KnownHold};
use eventify_kernel::db::{DbResult, PgConnection};

/// A hold under its lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockedHold {
    pub(crate) id: HoldId,
    pub(crate) hold: KnownHold,
    /// The cart or service account that took it.
    pub(crate) owner: Option<Uuid>,
    customer: Option<Uuid>,
    order: Option<Uuid>,
}

/// What became free of a hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freed {
    pub(crate) seats: Vec<(SeatId, String)>,
    pub(crate) units: BTreeMap<BucketId, u32>,
}

/// One ticket's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A numbered seat.
    Seat(SeatId),
    /// A unit of a zone.
    Unit(BucketId),
}

/// Units that a hold has of one slot.
#[derive(Clone, Copy, Debug)]
struct Units {
    hold: HoldId,
    performance: PerformanceId,
    bucket: BucketId,
    slot: i16,
    quantity: u32,
}

type FreedByHold = BTreeMap<(HoldId, PerformanceId), Freed>;

/// Locks these holds, in order.
pub(crate) async fn lock(conn: &mut PgConnection, ids: &[HoldId]) -> DbResult<Vec<LockedHold>> {
    let rows = sqlx::query(
        "select hold_id, status, expires_at, owner_id, customer_id, order_id from holds
         where hold_id = any($1) order by hold_id for update",
    )
    .bind(uuids(ids))
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = status_of(&row.try_get::<String, _>("status")?)?;
            let expires_at = row.try_get("expires_at")?;
            Ok(LockedHold {
                id: HoldId(row.try_get("hold_id")?),
                hold: KnownHold {
                    status,
                    fingerprint: None,
                    expires_at,
                },
                owner: row.try_get("owner_id")?,
                customer: row.try_get("customer_id")?,
                order: row.try_get("order_id")?,
            })
        })
        .collect()
}

/// Locks holds whose time is over, leaving out those that somebody else is at.
pub(crate) async fn lock_lapsed(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> DbResult<Vec<HoldId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select hold_id from holds where status = 'held' and expires_at <= $1
         order by hold_id limit $2 for update skip locked",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(HoldId).collect())
}

/// Notes ids that are not known, so that their holds are refused when they come.
pub(crate) async fn add_tombstones(
    conn: &mut PgConnection,
    ids: &[HoldId],
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into holds (hold_id, status, created_at, updated_at, version)
         select id, 'released', $2, $2, 1 from unnest($1::uuid[]) as given (id) order by id
         on conflict do nothing",
    )
    .bind(uuids(ids))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends locked holds and frees all that they have.
pub(crate) async fn free_all(
    conn: &mut PgConnection,
    ids: &[HoldId],
    now: DateTime<Utc>,
) -> DbResult<FreedByHold> {
    sqlx::query(
        "update holds set status = 'released', updated_at = $2, version = version + 1
         where hold_id = any($1)",
    )
    .bind(uuids(ids))
    .bind(now)
    .execute(&mut *conn)
    .await?;
    let mut freed = free_seats(conn, ids, None).await?;
    let rows: Vec<(Uuid, Uuid, Uuid, i16, i32)> = sqlx::query_as(
        "delete from bucket_allocations where hold_id = any($1)
         returning hold_id, performance_id, bucket_id, slot, quantity",
    )
    .bind(uuids(ids))
    .fetch_all(&mut *conn)
    .await?;
    let units = rows
        .into_iter()
        .map(units_of)
        .collect::<DbResult<Vec<_>>>()?;
    return_units(conn, &units).await?;
    add_units(&mut freed, &units);
    Ok(freed)
}

/// Frees a part of a locked hold, once; `None` when that was done before.
pub(crate) async fn free_part(
    conn: &mut PgConnection,
    part: &PartRelease,
    now: DateTime<Utc>,
) -> DbResult<Option<FreedByHold>> {
    let first = sqlx::query(
        "insert into returned_parts (return_id, hold_id, returned_at) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(part.id)
    .bind(part.hold.as_uuid())
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if first.rows_affected() == 0 {
        return Ok(None);
    }
    let mut freed = free_seats(conn, &[part.hold], Some(&part.seats)).await?;
    let mut units = Vec::new();
    for (bucket, quantity) in &part.buckets {
        units.extend(take_back(conn, part.hold, *bucket, *quantity).await?);
    }
    return_units(conn, &units).await?;
    add_units(&mut freed, &units);
    sqlx::query("update holds set version = version + 1, updated_at = $2 where hold_id = $1")
        .bind(part.hold.as_uuid())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(Some(freed))
}

/// Deletes seat allocations: all of these holds, or the named ones.
async fn free_seats(
    conn: &mut PgConnection,
    holds: &[HoldId],
    only: Option<&[SeatId]>,
) -> DbResult<FreedByHold> {
    let only = only.map(|seats| seats.iter().map(|seat| seat.as_uuid()).collect::<Vec<_>>());
    let rows: Vec<(Uuid, Uuid, Uuid, String)> = sqlx::query_as(
        "with freed as (
             delete from seat_allocations
             where hold_id = any($1) and ($2::uuid[] is null or seat_id = any($2))
             returning hold_id, performance_id, seat_id
         )
         select hold_id, performance_id, seat_id, label
         from freed join performance_seats using (performance_id, seat_id) order by seat_id",
    )
    .bind(uuids(holds))
    .bind(only)
    .fetch_all(conn)
    .await?;
    let mut freed = FreedByHold::new();
    for (hold, performance, seat, label) in rows {
        let of_hold = freed
            .entry((HoldId(hold), PerformanceId(performance)))
            .or_default();
        of_hold.seats.push((SeatId(seat), label));
    }
    Ok(freed)
}

/// Takes units away from a locked hold, at most as many as it has.
async fn take_back(
    conn: &mut PgConnection,
    hold: HoldId,
    bucket: BucketId,
    quantity: u32,
) -> DbResult<Vec<Units>> {
    let rows: Vec<(Uuid, Uuid, Uuid, i16, i32)> = sqlx::query_as(
        "select hold_id, performance_id, bucket_id, slot, quantity from bucket_allocations
         where hold_id = $1 and bucket_id = $2 order by slot",
    )
    .bind(hold.as_uuid())
    .bind(bucket.as_uuid())
    .fetch_all(&mut *conn)
    .await?;
    let mut missing = quantity;
    let mut back = Vec::new();
    for had in rows.into_iter().map(units_of) {
        let had = had?;
        let part = had.quantity.min(missing);
        if part == 0 {
            break;
        }
        missing -= part;
        let statement = if part == had.quantity {
            "delete from bucket_allocations
             where hold_id = $1 and bucket_id = $2 and slot = $3 and quantity >= $4"
        } else {
            "update bucket_allocations set quantity = quantity - $4
             where hold_id = $1 and bucket_id = $2 and slot = $3"
        };
        sqlx::query(statement)
            .bind(hold.as_uuid())
            .bind(bucket.as_uuid())
            .bind(had.slot)
            .bind(int(part)?)
            .execute(&mut *conn)
            .await?;
        back.push(Units {
            quantity: part,
            ..had
        });
    }
    Ok(back)
}

/// Puts units back into their slots, locked in order first.
async fn return_units(conn: &mut PgConnection, units: &[Units]) -> DbResult<()> {
    let mut slots: BTreeMap<(PerformanceId, BucketId, i16), u32> = BTreeMap::new();
    for part in units {
        *slots
            .entry((part.performance, part.bucket, part.slot))
            .or_default() += part.quantity;
    }
    if slots.is_empty() {
        return Ok(());
    }
    let performances: Vec<_> = slots.keys().map(|(id, ..)| id.as_uuid()).collect();
    let buckets: Vec<_> = slots.keys().map(|(_, id, _)| id.as_uuid()).collect();
    let numbers: Vec<_> = slots.keys().map(|(.., slot)| *slot).collect();
    let quantities = slots
        .values()
        .map(|part| int(*part))
        .collect::<DbResult<Vec<_>>>()?;
    sqlx::query(
        "select from bucket_slots
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
        "update bucket_slots as held set reserved = held.reserved - back.quantity
         from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::int[])
             as back (performance_id, bucket_id, slot, quantity)
         where held.performance_id = back.performance_id and held.bucket_id = back.bucket_id
             and held.slot = back.slot",
    )
    .bind(performances)
    .bind(buckets)
    .bind(numbers)
    .bind(quantities)
    .execute(conn)
    .await?;
    Ok(())
}

/// Binds locked holds to a confirmed reservation: they no longer expire by themselves.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    ids: &[HoldId],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update holds set status = 'confirmed', expires_at = $2, updated_at = $3,
             version = version + 1
         where hold_id = any($1)",
    )
    .bind(uuids(ids))
    .bind(until)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update seat_allocations set expires_at = $2 where hold_id = any($1)")
        .bind(uuids(ids))
        .bind(until)
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks locked holds as sold.
pub(crate) async fn sell(
    conn: &mut PgConnection,
    ids: &[HoldId],
    order: OrderId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update holds set status = 'sold', order_id = $2, updated_at = $3, version = version + 1
         where hold_id = any($1)",
    )
    .bind(uuids(ids))
    .bind(order.as_uuid())
    .bind(now)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update seat_allocations set hold_active = false, expires_at = null
         where hold_id = any($1)",
    )
    .bind(uuids(ids))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that an order is paid or closed; answers whether it is closed. The row's lock puts the
/// two messages in an order, whichever comes first.
pub(crate) async fn note_order(
    conn: &mut PgConnection,
    order: OrderId,
    closed: bool,
) -> DbResult<bool> {
    let closed = sqlx::query_scalar(
        "insert into orders as known (order_id, closed) values ($1, $2)
         on conflict (order_id) do update set closed = known.closed or excluded.closed
         returning closed",
    )
    .bind(order.as_uuid())
    .bind(closed)
    .fetch_one(conn)
    .await?;
    Ok(closed)
}

/// The hold by which an order has this seat, or units of this zone.
pub(crate) async fn hold_of(
    conn: &mut PgConnection,
    order: OrderId,
    performance: PerformanceId,
    place: Place,
) -> DbResult<Option<HoldId>> {
    let (seat, bucket) = match place {
        Place::Seat(seat) => (Some(seat.as_uuid()), None),
        Place::Unit(bucket) => (None, Some(bucket.as_uuid())),
    };
    let hold: Option<Uuid> = sqlx::query_scalar(
        "select h.hold_id from holds h where h.order_id = $1 and (
             exists (select from seat_allocations a where a.hold_id = h.hold_id
                 and a.performance_id = $2 and a.seat_id = $3)
             or exists (select from bucket_allocations b where b.hold_id = h.hold_id
                 and b.performance_id = $2 and b.bucket_id = $4))
         order by h.hold_id limit 1",
    )
    .bind(order.as_uuid())
    .bind(performance.as_uuid())
    .bind(seat)
    .bind(bucket)
    .fetch_optional(conn)
    .await?;
    Ok(hold.map(HoldId))
}

/// Whether anything has been heard of an order.
pub(crate) async fn knows_order(conn: &mut PgConnection, order: OrderId) -> DbResult<bool> {
    let known = sqlx::query_scalar("select exists (select from orders where order_id = $1)")
        .bind(order.as_uuid())
        .fetch_one(conn)
        .await?;
    Ok(known)
}

/// The version of a hold after the changes of this transaction.
pub(crate) async fn version(conn: &mut PgConnection, id: HoldId) -> DbResult<i32> {
    let version = sqlx::query_scalar("select version from holds where hold_id = $1")
        .bind(id.as_uuid())
        .fetch_one(conn)
        .await?;
    Ok(version)
}

impl LockedHold {
    /// Whether its places are somebody's ticket.
    pub(crate) fn is_sold(&self) -> bool {
        self.hold.status == HoldStatus::Sold
    }

    /// Whether its places can become this order's: it is the customer's, and no other order has it.
    pub(crate) fn may_be_sold_to(&self, order: OrderId, customer: UserId) -> bool {
        self.customer == Some(customer.as_uuid())
            && self.order.is_none_or(|has| has == order.as_uuid())
    }

    /// Whether it is over.
    pub(crate) fn is_released(&self) -> bool {
        self.hold.status == HoldStatus::Released
    }
}

fn units_of(row: (Uuid, Uuid, Uuid, i16, i32)) -> DbResult<Units> {
    let (hold, performance, bucket, slot, quantity) = row;
    Ok(Units {
        hold: HoldId(hold),
        performance: PerformanceId(performance),
        bucket: BucketId(bucket),
        slot,
        quantity: count(quantity.into())?,
    })
}

fn add_units(freed: &mut FreedByHold, units: &[Units]) {
    for part in units {
        let of_hold = freed.entry((part.hold, part.performance)).or_default();
        *of_hold.units.entry(part.bucket).or_default() += part.quantity;
    }
}

fn uuids(ids: &[HoldId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.as_uuid()).collect()
}
