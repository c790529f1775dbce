//! Tickets with what was paid for them.

use std::collections::BTreeMap;

use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{OrderId, PerformanceId, RefundId, TicketId};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::order::model::PaidTicket;

#[derive(Debug, FromRow, Serialize)]
struct TicketRow {
    ticket_id: TicketId,
    order_id: OrderId,
    performance_id: PerformanceId,
    currency: String,
    amount: Decimal,
    refund_id: Option<RefundId>,
}

macro_rules! select_tickets {
    ($condition:literal) => {
        concat!(
            r#"select ticket_id, order_id, performance_id, currency, amount, refund_id
             from "order".order_tickets where "#,
            $condition,
            " order by ticket_id"
        )
    };
}

/// Inserts tickets; those that are known stay as they are.
pub(crate) async fn insert_tickets(
    conn: &mut PgConnection,
    order_id: OrderId,
    tickets: &[PaidTicket],
) -> DbResult<()> {
    let row = |ticket: &PaidTicket| TicketRow {
        ticket_id: ticket.ticket_id,
        order_id,
        performance_id: ticket.performance_id,
        currency: ticket.price.currency().code().to_owned(),
        amount: ticket.price.to_decimal(),
        refund_id: ticket.refund_id,
    };
    let rows: Vec<_> = tickets.iter().map(row).collect();
    let insert = r#"insert into "order".order_tickets"#;
    insert_rows(conn, insert, &rows, "on conflict do nothing").await?;
    Ok(())
}

pub(crate) async fn list_tickets(
    conn: &mut PgConnection,
    order: OrderId,
) -> DbResult<Vec<PaidTicket>> {
    let rows: Vec<TicketRow> = sqlx::query_as(select_tickets!("order_id = $1"))
        .bind(order)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(PaidTicket::try_from).collect()
}

/// The tickets that are under a refund, or were given back by it.
pub(crate) async fn list_tickets_of_refund(
    conn: &mut PgConnection,
    refund: RefundId,
) -> DbResult<Vec<PaidTicket>> {
    let rows: Vec<TicketRow> = sqlx::query_as(select_tickets!("refund_id = $1"))
        .bind(refund)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(PaidTicket::try_from).collect()
}

/// A ticket lost its value. The first reason stands.
pub(crate) async fn insert_revoked(
    conn: &mut PgConnection,
    ticket: TicketId,
    order: OrderId,
    reason: &str,
) -> DbResult<()> {
    sqlx::query(
        r#"insert into "order".revoked_tickets (ticket_id, order_id, reason) values ($1, $2, $3)
           on conflict do nothing"#,
    )
    .bind(ticket)
    .bind(order)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// The tickets of an order that lost their value, each with the reason.
pub(crate) async fn list_revoked(
    conn: &mut PgConnection,
    order: OrderId,
) -> DbResult<BTreeMap<TicketId, String>> {
    let query = r#"select ticket_id, reason from "order".revoked_tickets where order_id = $1"#;
    let rows: Vec<(TicketId, String)> = sqlx::query_as(query).bind(order).fetch_all(conn).await?;
    Ok(rows.into_iter().collect())
}

/// Whether a ticket is left that no finished refund includes.
pub(crate) async fn has_paid_tickets(conn: &mut PgConnection, order: OrderId) -> DbResult<bool> {
    let left = sqlx::query_scalar(
        r#"select exists (select from "order".order_tickets
             left join "order".order_refunds using (refund_id)
             where order_tickets.order_id = $1
                 and (status is null or status not in ('succeeded', 'returned')))"#,
    )
    .bind(order)
    .fetch_one(conn)
    .await?;
    Ok(left)
}

impl TryFrom<TicketRow> for PaidTicket {
    type Error = DbError;

    fn try_from(row: TicketRow) -> DbResult<Self> {
        Ok(Self {
            ticket_id: row.ticket_id,
            performance_id: row.performance_id,
            price: money(&row.currency, row.amount)?,
            refund_id: row.refund_id,
        })
    }
}
