//! Tickets.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, OrderId, SeatId, TicketId, UserId};
use eventify_protocol::money::{Currency, Money};
use eventify_protocol::token::TokenHash;
use rust_decimal::Decimal;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::entries::entry;
use super::{hash, unsigned};
use crate::contexts::ticketing::model::Ticket;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// A ticket with the check-in of its present passage. Locked with `for update of ticket`, the
/// check-in may be older than the lock: lock first, then read.
pub(super) const SELECT: &str = "select ticket.*, entry.scan_id, entry.gate_id, entry.node_id, \
    entry.earliest, entry.latest, entry.evidence, entry.journal_incarnation, entry.journal_seq, \
    coalesce(entry.order_unknown, false) as order_unknown \
    from tickets as ticket left join checkins as entry using (ticket_id, passage)";

#[derive(FromRow)]
struct Row {
    ticket_id: Uuid,
    order_id: Uuid,
    line: i32,
    unit: i32,
    customer_id: Uuid,
    performance_id: Uuid,
    venue_id: Uuid,
    seat_id: Option<Uuid>,
    seat_label: Option<String>,
    bucket_id: Option<Uuid>,
    zone: Option<String>,
    price_category: String,
    currency: String,
    unit_amount: Decimal,
    hold_id: Uuid,
    revoked_reason: Option<String>,
    order_unknown: bool,
    passage: i32,
    revision: i32,
    qr_payload: String,
    token_hash: Vec<u8>,
    not_before: i64,
    expiry: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

/// Reads a ticket from a row that holds all columns of both tables.
pub(super) fn ticket(row: &PgRow) -> DbResult<Ticket> {
    let check_in = entry(row, "")?;
    let row = Row::from_row(row)?;
    let currency = Currency::parse(&row.currency).map_err(DbError::impossible_row)?;
    Ok(Ticket {
        id: row.ticket_id.into(),
        order_id: row.order_id.into(),
        line: row.line,
        unit: row.unit,
        customer_id: row.customer_id.into(),
        performance_id: row.performance_id.into(),
        venue_id: row.venue_id.into(),
        seat_id: row.seat_id.map(Into::into),
        seat_label: row.seat_label,
        bucket_id: row.bucket_id.map(Into::into),
        zone: row.zone,
        category: row
            .price_category
            .parse()
            .map_err(DbError::impossible_row)?,
        unit_price: Money::from_decimal(currency, row.unit_amount)
            .map_err(DbError::impossible_row)?,
        hold_id: row.hold_id.into(),
        revoked: row.revoked_reason,
        check_in,
        order_unknown: row.order_unknown,
        passage: row.passage,
        revision: unsigned(row.revision)?,
        token: row.qr_payload,
        token_hash: TokenHash(hash(&row.token_hash)?),
        not_before: row.not_before,
        expiry: row.expiry,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

/// Writes an order's new tickets.
pub(crate) async fn add_tickets(conn: &mut PgConnection, tickets: &[Ticket]) -> DbResult<()> {
    let id = |of: fn(&Ticket) -> Uuid| tickets.iter().map(of).collect::<Vec<_>>();
    let number = |of: fn(&Ticket) -> i32| tickets.iter().map(of).collect::<Vec<_>>();
    let text = |of: fn(&Ticket) -> &str| tickets.iter().map(of).collect::<Vec<_>>();
    let perhaps = |of: fn(&Ticket) -> Option<&str>| tickets.iter().map(of).collect::<Vec<_>>();
    let second = |of: fn(&Ticket) -> i64| tickets.iter().map(of).collect::<Vec<_>>();
    let place = |of: fn(&Ticket) -> Option<Uuid>| tickets.iter().map(of).collect::<Vec<_>>();
    let hashes: Vec<_> = tickets
        .iter()
        .map(|it| &it.token_hash.as_bytes()[..])
        .collect();
    let amounts: Vec<_> = tickets
        .iter()
        .map(|it| it.unit_price.to_decimal())
        .collect();
    sqlx::query(
        "insert into tickets (ticket_id, order_id, line, unit, customer_id, performance_id,
             venue_id, seat_id, seat_label, bucket_id, zone, price_category, currency,
             unit_amount, hold_id, status, passage, revision, qr_payload, token_hash,
             not_before, expiry, created_at, updated_at, version)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::uuid[], $6::uuid[],
             $7::uuid[], $8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[],
             $14::numeric[], $15::uuid[], $16::text[], $17::int[], $18::int[], $19::text[],
             $20::bytea[], $21::bigint[], $22::bigint[], $23::timestamptz[], $23::timestamptz[],
             $24::int[])",
    )
    .bind(id(|ticket| ticket.id.as_uuid()))
    .bind(id(|ticket| ticket.order_id.as_uuid()))
    .bind(number(|ticket| ticket.line))
    .bind(number(|ticket| ticket.unit))
    .bind(id(|ticket| ticket.customer_id.as_uuid()))
    .bind(id(|ticket| ticket.performance_id.as_uuid()))
    .bind(id(|ticket| ticket.venue_id.as_uuid()))
    .bind(place(|ticket| ticket.seat_id.map(SeatId::as_uuid)))
    .bind(perhaps(|ticket| ticket.seat_label.as_deref()))
    .bind(place(|ticket| ticket.bucket_id.map(BucketId::as_uuid)))
    .bind(perhaps(|ticket| ticket.zone.as_deref()))
    .bind(text(|ticket| ticket.category.as_str()))
    .bind(text(|ticket| ticket.unit_price.currency().code()))
    .bind(amounts)
    .bind(id(|ticket| ticket.hold_id.as_uuid()))
    .bind(text(|ticket| ticket.status().name()))
    .bind(number(|ticket| ticket.passage))
    .bind(tickets.iter().map(revision).collect::<DbResult<Vec<_>>>()?)
    .bind(text(|ticket| &ticket.token))
    .bind(hashes)
    .bind(second(|ticket| ticket.not_before))
    .bind(second(|ticket| ticket.expiry))
    .bind(
        tickets
            .iter()
            .map(|ticket| ticket.created_at)
            .collect::<Vec<_>>(),
    )
    .bind(number(|ticket| ticket.version))
    .execute(conn)
    .await?;
    Ok(())
}

/// A seat of these new tickets that another ticket admits to. The index `tickets_one_per_seat` is
/// what holds also for two orders at once; this is for saying so.
pub(crate) async fn taken_seat(
    conn: &mut PgConnection,
    tickets: &[Ticket],
) -> DbResult<Option<SeatId>> {
    let seats = tickets
        .iter()
        .filter_map(|it| Some((it.performance_id.as_uuid(), it.seat_id?.as_uuid())));
    let (performances, seats): (Vec<_>, Vec<_>) = seats.unzip();
    if seats.is_empty() {
        return Ok(None);
    }
    let taken: Option<Uuid> = sqlx::query_scalar(
        "select seat_id from tickets
         where (performance_id, seat_id) in (select * from unnest($1::uuid[], $2::uuid[]))
             and revoked_reason is null limit 1",
    )
    .bind(performances)
    .bind(seats)
    .fetch_optional(conn)
    .await?;
    Ok(taken.map(SeatId))
}

/// Writes what can change of tickets that this transaction has locked.
pub(crate) async fn save_tickets(conn: &mut PgConnection, tickets: &[Ticket]) -> DbResult<()> {
    let revisions = tickets.iter().map(revision).collect::<DbResult<Vec<_>>>()?;
    let column = |of: fn(&Ticket) -> String| tickets.iter().map(of).collect::<Vec<_>>();
    let reasons: Vec<_> = tickets
        .iter()
        .map(|ticket| ticket.revoked.as_deref())
        .collect();
    let hashes: Vec<_> = tickets
        .iter()
        .map(|ticket| ticket.token_hash.as_bytes().to_vec())
        .collect();
    sqlx::query(
        "update tickets as held set status = new.status, revoked_reason = new.reason,
             revision = new.revision, qr_payload = new.qr_payload, token_hash = new.token_hash,
             updated_at = new.updated_at, version = new.version
         from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bytea[],
             $7::timestamptz[], $8::int[])
             as new (ticket_id, status, reason, revision, qr_payload, token_hash, updated_at,
             version)
         where held.ticket_id = new.ticket_id",
    )
    .bind(ids(tickets))
    .bind(column(|ticket| ticket.status().name().to_owned()))
    .bind(reasons)
    .bind(revisions)
    .bind(column(|ticket| ticket.token.clone()))
    .bind(hashes)
    .bind(tickets.iter().map(|it| it.updated_at).collect::<Vec<_>>())
    .bind(tickets.iter().map(|it| it.version).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

fn ids(tickets: &[Ticket]) -> Vec<Uuid> {
    tickets.iter().map(|ticket| ticket.id.as_uuid()).collect()
}

fn revision(ticket: &Ticket) -> DbResult<i32> {
    i32::try_from(ticket.revision).map_err(DbError::impossible_row)
}

pub(crate) async fn find_ticket(conn: &mut PgConnection, id: TicketId) -> DbResult<Option<Ticket>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} where ticket.ticket_id = $1"
    )))
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(ticket).transpose()
}

/// Locks tickets in the order of their ids, so that two transactions never wait for each other,
/// and then reads them.
pub(crate) async fn lock_tickets(
    conn: &mut PgConnection,
    tickets: &[TicketId],
) -> DbResult<Vec<Ticket>> {
    let ids: Vec<_> = tickets.iter().map(|id| id.as_uuid()).collect();
    sqlx::query("select from tickets where ticket_id = any($1) order by ticket_id for update")
        .bind(&ids)
        .execute(&mut *conn)
        .await?;
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} where ticket.ticket_id = any($1) order by ticket.ticket_id"
    )))
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    rows.iter().map(ticket).collect()
}

/// In the order of the order's items.
pub(crate) async fn tickets_of_order(
    conn: &mut PgConnection,
    order: OrderId,
) -> DbResult<Vec<Ticket>> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} where ticket.order_id = $1 order by ticket.line, ticket.unit"
    )))
    .bind(order.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.iter().map(ticket).collect()
}

/// A page of a customer's tickets, newest first, and how many there are.
pub(crate) async fn list_tickets(
    conn: &mut PgConnection,
    customer: UserId,
    order: Option<OrderId>,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<Ticket>, i64)> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{SELECT} where ticket.customer_id = $1 and ($2::uuid is null or ticket.order_id = $2)
         order by ticket.created_at desc, ticket.order_id, ticket.line, ticket.unit
         offset $3 limit $4"
    )))
    .bind(customer.as_uuid())
    .bind(order.map(OrderId::as_uuid))
    .bind(offset)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from tickets
         where customer_id = $1 and ($2::uuid is null or order_id = $2)",
    )
    .bind(customer.as_uuid())
    .bind(order.map(OrderId::as_uuid))
    .fetch_one(conn)
    .await?;
    let tickets = rows.iter().map(ticket).collect::<DbResult<_>>()?;
    Ok((tickets, total))
}
