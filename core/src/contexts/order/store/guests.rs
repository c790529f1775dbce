//! Names of guests, and whose each ticket is.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{OrderId, PerformanceId, TicketId};

use crate::contexts::order::api::TicketHolder;

/// Sets or takes back the name of an order's guest, and marks its tickets as changed.
pub(crate) async fn update_guest_name(
    conn: &mut PgConnection,
    order: OrderId,
    name: Option<&str>,
    at: DateTime<Utc>,
) -> DbResult<()> {
    match name {
        Some(name) => {
            sqlx::query(
                r#"insert into "order".guest_names (order_id, name, given_at) values ($1, $2, $3)
                 on conflict (order_id) do update set name = excluded.name, given_at = excluded.given_at"#,
            )
            .bind(order)
            .bind(name)
            .bind(at)
            .execute(&mut *conn)
            .await?;
        }
        None => {
            sqlx::query(r#"delete from "order".guest_names where order_id = $1"#)
                .bind(order)
                .execute(&mut *conn)
                .await?;
        }
    }
    sqlx::query(
        r#"update "order".order_tickets set holder_changed_at = now() where order_id = $1"#,
    )
    .bind(order)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find_guest_name(
    conn: &mut PgConnection,
    order: OrderId,
) -> DbResult<Option<String>> {
    let name = sqlx::query_scalar(r#"select name from "order".guest_names where order_id = $1"#)
        .bind(order)
        .fetch_optional(conn)
        .await?;
    Ok(name)
}

#[derive(sqlx::FromRow)]
struct HolderRow {
    ticket_id: TicketId,
    order_id: OrderId,
    name: Option<String>,
}

/// A page of a performance's tickets behind one, by their ids, with whose they are: those that changed since
/// a moment of the database, or all.
pub(crate) async fn list_holders(
    conn: &mut PgConnection,
    performance: PerformanceId,
    since: Option<DateTime<Utc>>,
    after: Option<TicketId>,
    limit: u32,
) -> DbResult<Vec<TicketHolder>> {
    let query = if since.is_some() {
        r#"select ticket_id, order_id, name from "order".order_tickets
             left join "order".guest_names using (order_id)
         where performance_id = $1 and holder_changed_at >= $2
             and ($3::uuid is null or ticket_id > $3) order by ticket_id limit $4"#
    } else {
        r#"select ticket_id, order_id, name from "order".order_tickets
             left join "order".guest_names using (order_id)
         where performance_id = $1 and $2::timestamptz is null
             and ($3::uuid is null or ticket_id > $3) order by ticket_id limit $4"#
    };
    let rows: Vec<HolderRow> = sqlx::query_as(query)
        .bind(performance)
        .bind(since)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    let holders = rows.into_iter().map(|row| TicketHolder {
        ticket: row.ticket_id,
        order: row.order_id,
        name: row.name,
    });
    Ok(holders.collect())
}

/// The database's clock, by which changes are ordered.
pub(crate) async fn now(conn: &mut PgConnection) -> DbResult<DateTime<Utc>> {
    let now = sqlx::query_scalar("select now()").fetch_one(conn).await?;
    Ok(now)
}
