//! Places that are kept back.

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::{Guest, KeptBack};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, GateId, OrderId, PerformanceId, SeatId, TicketId, UserId};
use sqlx::FromRow;

use crate::contexts::inventory::model::kept_back::{
    Doubt, KeptPlace, Place, Release, RevokedTicket, parse_reason, reason_name,
};

#[derive(FromRow)]
struct Row {
    ticket_id: TicketId,
    order_id: OrderId,
    performance_id: PerformanceId,
    seat_id: Option<SeatId>,
    bucket_id: Option<BucketId>,
    label: String,
    reason: String,
    since: DateTime<Utc>,
    released_at: Option<DateTime<Utc>>,
    released_by: Option<UserId>,
    note: Option<String>,
    released_despite: Option<String>,
    gates_since: Option<DateTime<Utc>>,
    gate_id: Option<GateId>,
    earliest: Option<DateTime<Utc>>,
    latest: Option<DateTime<Utc>>,
    dissolved: Option<bool>,
}

macro_rules! select_kept {
    ($condition:literal) => {
        concat!(
            "select k.ticket_id, k.order_id, k.performance_id, k.seat_id, k.bucket_id,
                 coalesce(s.label, b.zone) as label, k.reason, k.since, k.released_at,
                 k.released_by, k.note, k.released_despite, k.gates_since, g.gate_id, g.earliest,
                 g.latest, g.dissolved
             from inventory.kept_back k
                 left join inventory.refunded_guests g on g.ticket_id = k.ticket_id
                 left join inventory.performance_seats s
                     on s.performance_id = k.performance_id and s.seat_id = k.seat_id
                 left join inventory.performance_buckets b
                     on b.performance_id = k.performance_id and b.bucket_id = k.bucket_id
             where ",
            $condition
        )
    };
}

/// Keeps the place of a ticket back that its locked order has.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    ticket: &RevokedTicket,
    (reason, gates_since): (KeptBack, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.kept_back
             (ticket_id, order_id, performance_id, seat_id, bucket_id, reason, since, gates_since)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(ticket.id)
    .bind(ticket.order)
    .bind(ticket.performance)
    .bind(ticket.place.seat())
    .bind(ticket.place.bucket())
    .bind(reason_name(reason))
    .bind(now)
    .bind(gates_since)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the place of a ticket went back, or is or was kept back: a ticket is revoked once.
pub(crate) async fn is_decided(conn: &mut PgConnection, ticket: TicketId) -> DbResult<bool> {
    let decided = sqlx::query_scalar(
        "select exists (select from inventory.kept_back where ticket_id = $1)
             or exists (select from inventory.returned_parts where return_id = $1)",
    )
    .bind(ticket)
    .fetch_one(conn)
    .await?;
    Ok(decided)
}

/// Whether a place of this order is kept back.
pub(crate) async fn any_of_order(conn: &mut PgConnection, order: OrderId) -> DbResult<bool> {
    let any = sqlx::query_scalar(
        "select exists (select from inventory.kept_back
             where order_id = $1 and released_at is null)",
    )
    .bind(order)
    .fetch_one(conn)
    .await?;
    Ok(any)
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    performance: PerformanceId,
    ticket: TicketId,
) -> DbResult<Option<KeptPlace>> {
    let row: Option<Row> =
        sqlx::query_as(select_kept!("k.performance_id = $1 and k.ticket_id = $2"))
            .bind(performance)
            .bind(ticket)
            .fetch_optional(conn)
            .await?;
    row.map(KeptPlace::try_from).transpose()
}

/// The oldest first, and how many there are.
pub(crate) async fn list(
    conn: &mut PgConnection,
    performance: PerformanceId,
    and_released: bool,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<KeptPlace>, i64)> {
    let rows: Vec<Row> = sqlx::query_as(select_kept!(
        "k.performance_id = $1 and ($2 or k.released_at is null)
         order by k.since, k.ticket_id offset $3 limit $4"
    ))
    .bind(performance)
    .bind(and_released)
    .bind(offset)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let total = count(conn, performance, and_released).await?;
    let kept = rows.into_iter().map(KeptPlace::try_from);
    Ok((kept.collect::<DbResult<_>>()?, total))
}

/// How many places of a performance are kept back; those that were released too, if wanted.
pub(crate) async fn count(
    conn: &mut PgConnection,
    performance: PerformanceId,
    and_released: bool,
) -> DbResult<i64> {
    let count = sqlx::query_scalar(
        "select count(*) from inventory.kept_back
         where performance_id = $1 and ($2 or released_at is null)",
    )
    .bind(performance)
    .bind(and_released)
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Records a release; false when the place was released before.
pub(crate) async fn release(
    conn: &mut PgConnection,
    ticket: TicketId,
    release: &Release,
) -> DbResult<bool> {
    let done = sqlx::query(
        "update inventory.kept_back set released_at = $2, released_by = $3, note = $4,
             released_despite = $5
         where ticket_id = $1 and released_at is null",
    )
    .bind(ticket)
    .bind(release.at)
    .bind(release.by)
    .bind(&release.note)
    .bind(release.despite.map(Doubt::name))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

impl TryFrom<Row> for KeptPlace {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let place = match (row.seat_id, row.bucket_id) {
            (Some(seat), None) => Place::Seat(seat),
            (None, Some(bucket)) => Place::Unit(bucket),
            (None, None) | (Some(_), Some(_)) => {
                return Err(DbError::impossible_row("one place"));
            }
        };
        let released = match (row.released_at, row.released_by) {
            (Some(at), Some(by)) => Some(Release {
                at,
                by,
                note: row.note,
                despite: row.released_despite.as_deref().and_then(Doubt::parse),
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(DbError::impossible_row("a release by nobody"));
            }
        };
        let guest = match (row.gate_id, row.earliest, row.latest) {
            (Some(gate_id), Some(earliest), Some(latest)) if row.dissolved == Some(false) => {
                Some(Guest {
                    gate_id,
                    earliest,
                    latest,
                })
            }
            _ => None,
        };
        let reason = parse_reason(&row.reason)
            .ok_or_else(|| DbError::impossible_row(format!("kept back: {}", row.reason)))?;
        let reason = match reason {
            KeptBack::Fraud => KeptBack::Fraud,
            KeptBack::Used | KeptBack::GatesAdmit if guest.is_some() => KeptBack::Used,
            // The journal has shown that nobody was admitted.
            KeptBack::Used if row.dissolved == Some(true) => KeptBack::GatesAdmit,
            KeptBack::Used | KeptBack::GatesAdmit => reason,
        };
        Ok(Self {
            ticket: RevokedTicket {
                id: row.ticket_id,
                order: row.order_id,
                performance: row.performance_id,
                place,
            },
            label: row.label,
            reason,
            since: row.since,
            gates_since: row.gates_since,
            guest,
            released,
        })
    }
}
