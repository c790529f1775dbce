//! What is sold of performances.

use std::collections::BTreeMap;

use eventify_kernel::db::{DbError, DbResult, PgConnection, money};
use eventify_protocol::ids::PerformanceId;
use rust_decimal::Decimal;
use sqlx::FromRow;

use crate::contexts::order::api::{Sales, Sold};

#[derive(FromRow)]
struct SumRow {
    /// None in the rows of the total.
    performance_id: Option<PerformanceId>,
    /// None in the rows over all currencies.
    currency: Option<String>,
    orders: i64,
    tickets: i64,
    amount: Decimal,
}

/// Tickets that are paid and of which no refund is under way, by performance and together. Orders are
/// counted in rows over all currencies, amounts in rows of one.
pub(crate) async fn count_sold(
    conn: &mut PgConnection,
    performances: &[PerformanceId],
) -> DbResult<Sales> {
    let rows: Vec<SumRow> = sqlx::query_as(
        r#"select performance_id, order_tickets.currency, count(distinct order_id) as orders,
             count(*) as tickets, coalesce(sum(order_tickets.amount), 0) as amount
         from "order".order_tickets join "order".orders using (order_id)
         where performance_id = any($1) and refund_id is null
             and status in ('paid', 'partially_refunded')
         group by grouping sets ((performance_id), (performance_id, order_tickets.currency),
             (order_tickets.currency), ())
         order by order_tickets.currency"#,
    )
    .bind(performances)
    .fetch_all(conn)
    .await?;
    let mut sales = Sales::default();
    let mut of = BTreeMap::<PerformanceId, Sold>::new();
    for row in rows {
        let sold = match row.performance_id {
            Some(performance) => of.entry(performance).or_default(),
            None => &mut sales.total,
        };
        match row.currency {
            Some(currency) => sold.sums.push(money(&currency, row.amount)?),
            None => {
                sold.orders = u64::try_from(row.orders).map_err(DbError::impossible_row)?;
                sold.tickets = u64::try_from(row.tickets).map_err(DbError::impossible_row)?;
            }
        }
    }
    sales.of = of;
    Ok(sales)
}
