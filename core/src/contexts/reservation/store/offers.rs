//! Performances and prices, as event_management published them.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows, money};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::reservation::model::Offer;

/// A performance as it was scheduled or moved.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PerformanceRow {
    pub(crate) performance_id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) event_title: String,
    pub(crate) venue_id: VenueId,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) sales_opens_at: Option<DateTime<Utc>>,
    pub(crate) sales_closes_at: Option<DateTime<Utc>>,
    pub(crate) admits_until: DateTime<Utc>,
    pub(crate) version: i32,
}

#[derive(Clone, Debug, FromRow, Serialize)]
pub(crate) struct PriceRow {
    performance_id: PerformanceId,
    code: String,
    name: String,
    currency: String,
    amount: Decimal,
}

#[derive(Debug, FromRow)]
struct OfferRow {
    event_id: EventId,
    venue_id: VenueId,
    published: bool,
    cancelled: bool,
    start_time: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    sales_opens_at: Option<DateTime<Utc>>,
    sales_closes_at: Option<DateTime<Utc>>,
    /// A row that the release before has written has none.
    admits_until: Option<DateTime<Utc>>,
}

impl PriceRow {
    pub(crate) fn new(
        performance_id: PerformanceId,
        name: String,
        code: CategoryCode,
        price: Money,
    ) -> Self {
        Self {
            performance_id,
            code: code.to_string(),
            name,
            currency: price.currency().code().to_owned(),
            amount: price.to_decimal(),
        }
    }

    fn price(&self) -> DbResult<(CategoryCode, Money)> {
        let code = self.code.parse().map_err(DbError::impossible_row)?;
        Ok((code, money(&self.currency, self.amount)?))
    }
}

/// Replaces a performance and its prices, unless the stored version is as new.
pub(crate) async fn upsert_performance(
    conn: &mut PgConnection,
    performance: &PerformanceRow,
    prices: &[PriceRow],
) -> DbResult<()> {
    let written = insert_rows(
        conn,
        "insert into reservation.performances as stored",
        &[performance],
        "on conflict (performance_id) do update set event_title = excluded.event_title,
             venue_id = excluded.venue_id, start_time = excluded.start_time,
             ends_at = excluded.ends_at, sales_opens_at = excluded.sales_opens_at,
             sales_closes_at = excluded.sales_closes_at, admits_until = excluded.admits_until,
             version = excluded.version
         where stored.version < excluded.version",
    )
    .await?;
    if written == 0 {
        return Ok(());
    }
    sqlx::query("delete from reservation.performance_prices where performance_id = $1")
        .bind(performance.performance_id)
        .execute(&mut *conn)
        .await?;
    insert_rows(
        conn,
        "insert into reservation.performance_prices",
        prices,
        "",
    )
    .await?;
    Ok(())
}

pub(crate) async fn insert_published_event(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<()> {
    sqlx::query(
        "insert into reservation.published_events (event_id) values ($1) on conflict do nothing",
    )
    .bind(event)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_cancelled_performance(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query(
        "insert into reservation.cancelled_performances (performance_id) values ($1)
         on conflict do nothing",
    )
    .bind(performance)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find_offer(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Option<Offer>> {
    let row: Option<OfferRow> = sqlx::query_as(
        "select event_id, venue_id, start_time, ends_at, sales_opens_at, sales_closes_at, admits_until,
             exists (select from reservation.published_events as published
                 where published.event_id = performances.event_id) as published,
             exists (select from reservation.cancelled_performances as cancelled
                 where cancelled.performance_id = performances.performance_id) as cancelled
         from reservation.performances where performance_id = $1",
    )
    .bind(performance)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let prices: Vec<PriceRow> = sqlx::query_as(
        "select performance_id, code, name, currency, amount
         from reservation.performance_prices where performance_id = $1",
    )
    .bind(performance)
    .fetch_all(conn)
    .await?;
    Ok(Some(Offer {
        performance_id: performance,
        event_id: row.event_id,
        venue_id: row.venue_id,
        published: row.published,
        cancelled: row.cancelled,
        start_time: row.start_time,
        ends_at: row.ends_at,
        sales_opens_at: row.sales_opens_at,
        sales_closes_at: row.sales_closes_at,
        admits_until: row.admits_until.unwrap_or(row.start_time),
        prices: prices
            .iter()
            .map(PriceRow::price)
            .collect::<DbResult<_>>()?,
    }))
}
