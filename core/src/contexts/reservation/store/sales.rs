//! What event management has told about performances and prices.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};
use eventify_protocol::money::{Currency, Money};
use eventify_protocol::token::CategoryCode;
use rust_decimal::Decimal;
use sqlx::Row;
use uuid::Uuid;

use crate::contexts::reservation::model::OnSale;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// One `performance.scheduled`, as far as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub(crate) performance_id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) event_title: String,
    pub(crate) venue_id: VenueId,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) sales_opens_at: Option<DateTime<Utc>>,
    pub(crate) sales_closes_at: Option<DateTime<Utc>>,
    /// Name, code, price.
    pub(crate) prices: Vec<(String, CategoryCode, Money)>,
    pub(crate) version: i32,
}

/// Takes the newest statement; an older one that comes later changes nothing.
pub(crate) async fn schedule(conn: &mut PgConnection, sale: &Sale) -> DbResult<()> {
    let written = sqlx::query(
        "insert into performances (performance_id, event_id, event_title, venue_id, start_time,
             ends_at, sales_opens_at, sales_closes_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (performance_id) do update set event_title = excluded.event_title,
             venue_id = excluded.venue_id, start_time = excluded.start_time,
             ends_at = excluded.ends_at, sales_opens_at = excluded.sales_opens_at,
             sales_closes_at = excluded.sales_closes_at, version = excluded.version
         where performances.version < excluded.version",
    )
    .bind(sale.performance_id.as_uuid())
    .bind(sale.event_id.as_uuid())
    .bind(&sale.event_title)
    .bind(sale.venue_id.as_uuid())
    .bind(sale.start_time)
    .bind(sale.ends_at)
    .bind(sale.sales_opens_at)
    .bind(sale.sales_closes_at)
    .bind(sale.version)
    .execute(&mut *conn)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query("delete from performance_prices where performance_id = $1")
        .bind(sale.performance_id.as_uuid())
        .execute(&mut *conn)
        .await?;
    for (name, code, price) in &sale.prices {
        sqlx::query(
            "insert into performance_prices (performance_id, code, name, currency, amount)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(sale.performance_id.as_uuid())
        .bind(code.as_str())
        .bind(name)
        .bind(price.currency().code())
        .bind(price.to_decimal())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(crate) async fn publish_event(conn: &mut PgConnection, event: EventId) -> DbResult<()> {
    sqlx::query("insert into published_events (event_id) values ($1) on conflict do nothing")
        .bind(event.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn cancel_performance(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query(
        "insert into cancelled_performances (performance_id) values ($1) on conflict do nothing",
    )
    .bind(performance.as_uuid())
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn on_sale(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<OnSale>> {
    let row = sqlx::query(
        "select event_id, venue_id, start_time, sales_opens_at, sales_closes_at,
             exists (select from published_events where event_id = performances.event_id)
                 as published,
             exists (select from cancelled_performances
                 where performance_id = performances.performance_id) as cancelled
         from performances where performance_id = $1",
    )
    .bind(performance.as_uuid())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(OnSale {
        performance_id: performance,
        event_id: row.try_get::<Uuid, _>("event_id")?.into(),
        venue_id: row.try_get::<Uuid, _>("venue_id")?.into(),
        published: row.try_get("published")?,
        cancelled: row.try_get("cancelled")?,
        start_time: row.try_get("start_time")?,
        sales_opens_at: row.try_get("sales_opens_at")?,
        sales_closes_at: row.try_get("sales_closes_at")?,
        prices: prices(conn, performance).await?,
    }))
}

async fn prices(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Vec<(CategoryCode, Money)>> {
    let rows = sqlx::query(
        "select code, currency, amount from performance_prices where performance_id = $1",
    )
    .bind(performance.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let currency: &str = row.try_get("currency")?;
            let currency = Currency::parse(currency).map_err(DbError::impossible_row)?;
            let amount: Decimal = row.try_get("amount")?;
            let code: &str = row.try_get("code")?;
            Ok((
                code.parse().map_err(DbError::impossible_row)?,
                Money::from_decimal(currency, amount).map_err(DbError::impossible_row)?,
            ))
        })
        .collect()
}
