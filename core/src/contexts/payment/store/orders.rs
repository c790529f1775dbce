//! What is remembered of the orders that are paid here: who runs them, their tickets, and those of
//! which nothing is due.

use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{OrderId, PaymentId, TicketId, UserId};
use serde::Serialize;

use crate::contexts::payment::model::IssuedTicket;

#[derive(Serialize)]
struct OrganiserRow {
    payment_id: PaymentId,
    owner_id: UserId,
    org_id: Option<String>,
}

#[derive(Serialize)]
struct TicketRow {
    ticket_id: TicketId,
    order_id: OrderId,
    revoked: bool,
}

/// Who runs the performances of an order.
pub(crate) async fn insert_organisers(
    conn: &mut PgConnection,
    payment_id: PaymentId,
    organisers: &[(UserId, Option<String>)],
) -> DbResult<()> {
    let row = |(owner_id, org): &(UserId, Option<String>)| OrganiserRow {
        payment_id,
        owner_id: *owner_id,
        org_id: org.clone(),
    };
    let rows: Vec<_> = organisers.iter().map(row).collect();
    let rest = "on conflict do nothing";
    insert_rows(conn, "insert into payment.organisers", &rows, rest).await?;
    Ok(())
}

/// Whether a user, or the organisation, runs all performances of an order.
pub(crate) async fn is_run_by(
    conn: &mut PgConnection,
    payment: PaymentId,
    (user, org): (UserId, Option<&str>),
) -> DbResult<bool> {
    let runs = sqlx::query_scalar(
        "select count(*) > 0 and bool_and(owner_id = $2 or (org_id is not null and org_id = $3))
         from payment.organisers where payment_id = $1",
    )
    .bind(payment)
    .bind(user)
    .bind(org)
    .fetch_one(conn)
    .await?;
    let runs: Option<bool> = runs;
    Ok(runs.unwrap_or_default())
}

pub(crate) async fn insert_tickets(
    conn: &mut PgConnection,
    order_id: OrderId,
    tickets: impl Iterator<Item = TicketId>,
) -> DbResult<()> {
    let row = |ticket_id| TicketRow {
        ticket_id,
        order_id,
        revoked: false,
    };
    let rows: Vec<_> = tickets.map(row).collect();
    let rest = "on conflict do nothing";
    insert_rows(conn, "insert into payment.issued_tickets", &rows, rest).await?;
    Ok(())
}

/// A ticket that was perhaps not known to be issued.
pub(crate) async fn insert_revoked(
    conn: &mut PgConnection,
    order_id: OrderId,
    ticket_id: TicketId,
) -> DbResult<()> {
    let row = TicketRow {
        ticket_id,
        order_id,
        revoked: true,
    };
    let rest = "on conflict (ticket_id) do update set revoked = true";
    insert_rows(conn, "insert into payment.issued_tickets", &[row], rest).await?;
    Ok(())
}

/// The tickets of an order, and whether they are revoked.
pub(crate) async fn list_issued(
    conn: &mut PgConnection,
    order: OrderId,
) -> DbResult<Vec<IssuedTicket>> {
    let rows: Vec<(TicketId, bool)> = sqlx::query_as(
        "select ticket_id, revoked from payment.issued_tickets where order_id = $1
         order by ticket_id",
    )
    .bind(order)
    .fetch_all(conn)
    .await?;
    let issued = |(id, revoked)| IssuedTicket { id, revoked };
    Ok(rows.into_iter().map(issued).collect())
}

/// The tickets of these orders.
pub(crate) async fn list_tickets(
    conn: &mut PgConnection,
    orders: &[OrderId],
) -> DbResult<Vec<(OrderId, TicketId)>> {
    let rows = sqlx::query_as(
        "select order_id, ticket_id from payment.issued_tickets where order_id = any($1)
         order by ticket_id",
    )
    .bind(orders)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Nothing is due of this order.
pub(crate) async fn insert_free(
    conn: &mut PgConnection,
    order: OrderId,
    (customer, seller): (UserId, Option<UserId>),
) -> DbResult<()> {
    sqlx::query(
        "insert into payment.free_orders (order_id, customer_id, seller_id) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(order)
    .bind(customer)
    .bind(seller)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whose order it is and which box office sold it, if nothing is due of it.
pub(crate) async fn find_free(
    conn: &mut PgConnection,
    order: OrderId,
) -> DbResult<Option<(UserId, Option<UserId>)>> {
    let parties = sqlx::query_as(
        "select customer_id, seller_id from payment.free_orders where order_id = $1",
    )
    .bind(order)
    .fetch_optional(conn)
    .await?;
    Ok(parties)
}
