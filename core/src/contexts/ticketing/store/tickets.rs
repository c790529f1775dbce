//! Tickets.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{
    BucketId, HoldId, OrderId, PerformanceId, RefundId, ScanId, SeatId, TicketId, UserId, VenueId,
};
use eventify_protocol::money::{Currency, Money};
use eventify_protocol::short_code::CodeHash;
use eventify_protocol::token::TokenHash;
use eventify_sync::core::CheckIn;
use rust_decimal::Decimal;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow};

use super::check_ins::{self, EntryRow};
use super::{column, hash, joined, unsigned};
use crate::contexts::ticketing::model::{Ticket, TicketCode};

/// The columns of a [`TicketRow`] that are not its check-in's.
pub(super) const COLUMNS: &str = "ticket.ticket_id, ticket.order_id, ticket.line, ticket.unit, \
    ticket.customer_id, ticket.performance_id, ticket.venue_id, ticket.seat_id, \
    ticket.seat_label, ticket.bucket_id, ticket.zone, ticket.price_category, ticket.currency, \
    ticket.unit_amount, ticket.hold_id, ticket.refund_id, ticket.refunded_scan_id, ticket.revoked_reason, ticket.passage, ticket.attended, ticket.revision, \
    ticket.qr_payload, ticket.token_hash, ticket.short_code, ticket.short_code_hash, ticket.not_before, ticket.expiry, ticket.created_at, \
    ticket.updated_at, ticket.version";

/// Tickets with the check-ins of their present passages. To change one, lock it first: together with
/// `for update of ticket` the check-in may be older than the lock.
pub(super) fn select(rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "select {COLUMNS}, {} from ticketing.tickets as ticket
             left join ticketing.checkins as entry using (ticket_id, passage) {rest}",
        check_ins::COLUMNS
    ))
}

#[derive(FromRow)]
pub(super) struct TicketRow {
    ticket_id: TicketId,
    order_id: OrderId,
    line: i32,
    unit: i32,
    customer_id: UserId,
    performance_id: PerformanceId,
    venue_id: VenueId,
    seat_id: Option<SeatId>,
    seat_label: Option<String>,
    bucket_id: Option<BucketId>,
    zone: Option<String>,
    price_category: String,
    currency: String,
    unit_amount: Decimal,
    hold_id: HoldId,
    refund_id: Option<RefundId>,
    refunded_scan_id: Option<ScanId>,
    revoked_reason: Option<String>,
    #[sqlx(flatten)]
    check_in: CheckInRow,
    order_unknown: bool,
    passage: i32,
    attended: bool,
    revision: i32,
    qr_payload: String,
    token_hash: Vec<u8>,
    short_code: Option<String>,
    short_code_hash: Option<Vec<u8>>,
    not_before: i64,
    expiry: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

/// The check-in of a ticket, if it has one.
struct CheckInRow(Option<EntryRow>);

impl<'r> FromRow<'r, PgRow> for CheckInRow {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        joined(row, "entry_scan_id").map(Self)
    }
}

impl TryFrom<TicketRow> for Ticket {
    type Error = DbError;

    fn try_from(row: TicketRow) -> DbResult<Self> {
        let currency = Currency::parse(&row.currency).map_err(DbError::impossible_row)?;
        let price = Money::from_decimal(currency, row.unit_amount);
        let category = row.price_category.parse();
        Ok(Self {
            id: row.ticket_id,
            order_id: row.order_id,
            line: row.line,
            unit: row.unit,
            customer_id: row.customer_id,
            performance_id: row.performance_id,
            venue_id: row.venue_id,
            seat_id: row.seat_id,
            seat_label: row.seat_label,
            bucket_id: row.bucket_id,
            zone: row.zone,
            category: category.map_err(DbError::impossible_row)?,
            unit_price: price.map_err(DbError::impossible_row)?,
            hold_id: row.hold_id,
            refund: row.refund_id,
            refunded_scan: row.refunded_scan_id,
            revoked: row.revoked_reason,
            check_in: row.check_in.0.map(CheckIn::try_from).transpose()?,
            order_unknown: row.order_unknown,
            passage: row.passage,
            attended: row.attended,
            revision: unsigned(row.revision)?,
            token: row.qr_payload,
            token_hash: TokenHash(hash(&row.token_hash)?),
            code: row
                .short_code
                .zip(row.short_code_hash)
                .map(code)
                .transpose()?,
            not_before: row.not_before,
            expiry: row.expiry,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

fn code((code, code_hash): (String, Vec<u8>)) -> DbResult<TicketCode> {
    Ok(TicketCode {
        code: code.parse().map_err(DbError::impossible_row)?,
        hash: CodeHash(hash(&code_hash)?),
    })
}

pub(super) fn tickets(rows: Vec<TicketRow>) -> DbResult<Vec<Ticket>> {
    rows.into_iter().map(Ticket::try_from).collect()
}

pub(crate) async fn insert_tickets(conn: &mut PgConnection, tickets: &[Ticket]) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.tickets (ticket_id, order_id, line, unit, customer_id,
             performance_id, venue_id, seat_id, seat_label, bucket_id, zone, price_category,
             currency, unit_amount, hold_id, status, passage, revision, qr_payload, token_hash,
             not_before, expiry, created_at, updated_at, version, short_code, short_code_hash)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::uuid[], $6::uuid[],
             $7::uuid[], $8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[],
             $14::numeric[], $15::uuid[], $16::text[], $17::int[], $18::int[], $19::text[],
             $20::bytea[], $21::bigint[], $22::bigint[], $23::timestamptz[], $23::timestamptz[],
             $24::int[], $25::text[], $26::bytea[])",
    )
    .bind(column(tickets, |it| it.id))
    .bind(column(tickets, |it| it.order_id))
    .bind(column(tickets, |it| it.line))
    .bind(column(tickets, |it| it.unit))
    .bind(column(tickets, |it| it.customer_id))
    .bind(column(tickets, |it| it.performance_id))
    .bind(column(tickets, |it| it.venue_id))
    .bind(column(tickets, |it| it.seat_id))
    .bind(column(tickets, |it| it.seat_label.as_deref()))
    .bind(column(tickets, |it| it.bucket_id))
    .bind(column(tickets, |it| it.zone.as_deref()))
    .bind(column(tickets, |it| it.category.as_str()))
    .bind(column(tickets, |it| it.unit_price.currency().code()))
    .bind(column(tickets, |it| it.unit_price.to_decimal()))
    .bind(column(tickets, |it| it.hold_id))
    .bind(column(tickets, |it| it.status().name()))
    .bind(column(tickets, |it| it.passage))
    .bind(revisions(tickets)?)
    .bind(column(tickets, |it| it.token.as_str()))
    .bind(column(tickets, |it| &it.token_hash.as_bytes()[..]))
    .bind(column(tickets, |it| it.not_before))
    .bind(column(tickets, |it| it.expiry))
    .bind(column(tickets, |it| it.created_at))
    .bind(column(tickets, |it| it.version))
    .bind(codes(tickets))
    .bind(code_hashes(tickets))
    .execute(conn)
    .await?;
    Ok(())
}

/// A seat of these new tickets that another ticket admits to. This is for the error's text: the
/// index `tickets_one_per_seat` holds it also for two orders at once.
pub(crate) async fn find_taken_seat(
    conn: &mut PgConnection,
    tickets: &[Ticket],
) -> DbResult<Option<SeatId>> {
    let seats = tickets
        .iter()
        .filter_map(|it| Some((it.performance_id, it.seat_id?)));
    let (performances, seats): (Vec<_>, Vec<_>) = seats.unzip();
    if seats.is_empty() {
        return Ok(None);
    }
    let taken = sqlx::query_scalar(
        "select seat_id from ticketing.tickets
         where (performance_id, seat_id) in (select * from unnest($1::uuid[], $2::uuid[]))
             and revoked_reason is null limit 1",
    )
    .bind(performances)
    .bind(seats)
    .fetch_optional(conn)
    .await?;
    Ok(taken)
}

/// Writes what can change of tickets that this transaction has locked.
pub(crate) async fn update_tickets(conn: &mut PgConnection, tickets: &[Ticket]) -> DbResult<()> {
    sqlx::query(
        "update ticketing.tickets as stored set status = new.status, refund_id = new.refund_id,
             refunded_scan_id = new.refunded_scan_id,
             revoked_reason = new.reason, revision = new.revision, qr_payload = new.qr_payload, token_hash = new.token_hash,
             not_before = new.not_before, expiry = new.expiry, updated_at = new.updated_at,
             version = new.version, short_code = new.short_code,
             short_code_hash = new.short_code_hash, passage = new.passage,
             attended = new.attended
         from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bytea[],
             $7::bigint[], $8::bigint[], $9::timestamptz[], $10::int[], $11::uuid[], $12::uuid[],
             $13::text[], $14::bytea[], $15::int[], $16::bool[])
             as new (ticket_id, status, reason, revision, qr_payload, token_hash, not_before,
             expiry, updated_at, version, refund_id, refunded_scan_id, short_code, short_code_hash,
             passage, attended)
         where stored.ticket_id = new.ticket_id",
    )
    .bind(column(tickets, |it| it.id))
    .bind(column(tickets, |it| it.status().name()))
    .bind(column(tickets, |it| it.revoked.as_deref()))
    .bind(revisions(tickets)?)
    .bind(column(tickets, |it| it.token.as_str()))
    .bind(column(tickets, |it| &it.token_hash.as_bytes()[..]))
    .bind(column(tickets, |it| it.not_before))
    .bind(column(tickets, |it| it.expiry))
    .bind(column(tickets, |it| it.updated_at))
    .bind(column(tickets, |it| it.version))
    .bind(column(tickets, |it| it.refund))
    .bind(column(tickets, |it| it.refunded_scan))
    .bind(codes(tickets))
    .bind(code_hashes(tickets))
    .bind(column(tickets, |it| it.passage))
    .bind(column(tickets, |it| it.attended))
    .execute(conn)
    .await?;
    Ok(())
}

fn codes(tickets: &[Ticket]) -> Vec<Option<&str>> {
    let codes = tickets.iter().map(|it| it.code.as_ref());
    codes.map(|it| it.map(|it| it.code.as_str())).collect()
}

fn code_hashes(tickets: &[Ticket]) -> Vec<Option<&[u8]>> {
    let codes = tickets.iter().map(|it| it.code.as_ref());
    codes.map(|it| it.map(|it| &it.hash.0.0[..])).collect()
}

fn revisions(tickets: &[Ticket]) -> DbResult<Vec<i32>> {
    tickets.iter().map(|it| unsigned(it.revision)).collect()
}

pub(crate) async fn find_ticket(conn: &mut PgConnection, id: TicketId) -> DbResult<Option<Ticket>> {
    let row: Option<TicketRow> = sqlx::query_as(select("where ticket.ticket_id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.map(Ticket::try_from).transpose()
}

/// Locks tickets in the order of their ids, so that two transactions never wait for each other,
/// and then reads them.
pub(crate) async fn lock_tickets(
    conn: &mut PgConnection,
    ids: &[TicketId],
) -> DbResult<Vec<Ticket>> {
    sqlx::query(
        "select from ticketing.tickets where ticket_id = any($1) order by ticket_id for update",
    )
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    let rows: Vec<TicketRow> = sqlx::query_as(select(
        "where ticket.ticket_id = any($1) order by ticket.ticket_id",
    ))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    tickets(rows)
}

/// In the order of the order's items.
pub(crate) async fn list_tickets_of_order(
    conn: &mut PgConnection,
    order: OrderId,
) -> DbResult<Vec<Ticket>> {
    let rows: Vec<TicketRow> = sqlx::query_as(select(
        "where ticket.order_id = $1 order by ticket.line, ticket.unit",
    ))
    .bind(order)
    .fetch_all(conn)
    .await?;
    tickets(rows)
}

/// A page of a customer's tickets, newest first, and how many there are.
pub(crate) async fn list_tickets_of_customer(
    conn: &mut PgConnection,
    customer: UserId,
    order: Option<OrderId>,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<Ticket>, i64)> {
    let rows: Vec<TicketRow> = sqlx::query_as(select(
        "where ticket.customer_id = $1 and ($2::uuid is null or ticket.order_id = $2)
         order by ticket.created_at desc, ticket.order_id, ticket.line, ticket.unit
         offset $3 limit $4",
    ))
    .bind(customer)
    .bind(order)
    .bind(offset)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from ticketing.tickets
         where customer_id = $1 and ($2::uuid is null or order_id = $2)",
    )
    .bind(customer)
    .bind(order)
    .fetch_one(conn)
    .await?;
    Ok((tickets(rows)?, total))
}

/// A page of a performance's tickets, newest first, and how many there are; those of a seat, if one is named.
pub(crate) async fn list_tickets_of_seat(
    conn: &mut PgConnection,
    performance: PerformanceId,
    seat: Option<&str>,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<Ticket>, i64)> {
    let rows: Vec<TicketRow> = sqlx::query_as(select(
        "where ticket.performance_id = $1 and ($2::text is null or lower(ticket.seat_label) = lower($2))
         order by ticket.created_at desc, ticket.order_id, ticket.line, ticket.unit
         offset $3 limit $4",
    ))
    .bind(performance)
    .bind(seat)
    .bind(offset)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from ticketing.tickets
         where performance_id = $1 and ($2::text is null or lower(seat_label) = lower($2))",
    )
    .bind(performance)
    .bind(seat)
    .fetch_one(conn)
    .await?;
    Ok((tickets(rows)?, total))
}
