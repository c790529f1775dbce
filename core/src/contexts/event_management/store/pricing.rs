//! Pricing schemes.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, PricingSchemeId};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::contexts::event_management::model::pricing::{PriceCategory, PricingScheme};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

pub(crate) async fn add(
    conn: &mut PgConnection,
    event: EventId,
    scheme: &PricingScheme,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into pricing_schemes (pricing_scheme_id, event_id, currency, created_at)
         values ($1, $2, $3, $4)",
    )
    .bind(scheme.id.as_uuid())
    .bind(event.as_uuid())
    .bind(scheme.currency.code())
    .bind(now)
    .execute(&mut *conn)
    .await?;
    for (position, category) in (0_i32..).zip(&scheme.categories) {
        sqlx::query(
            "insert into price_categories (pricing_scheme_id, code, name, amount, position)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(scheme.id.as_uuid())
        .bind(category.code.to_string())
        .bind(&category.name)
        .bind(category.price.to_decimal())
        .bind(position)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// An event's schemes, oldest first.
pub(crate) async fn of_event(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Vec<PricingScheme>> {
    let rows: Vec<(Uuid, String, String, String, Decimal)> = sqlx::query_as(
        "select s.pricing_scheme_id, s.currency::text, c.code, c.name, c.amount
         from pricing_schemes s join price_categories c using (pricing_scheme_id)
         where s.event_id = $1 order by s.created_at, s.pricing_scheme_id, c.position",
    )
    .bind(event.as_uuid())
    .fetch_all(conn)
    .await?;
    let mut schemes: Vec<PricingScheme> = Vec::new();
    for (id, currency, code, name, amount) in rows {
        let id = PricingSchemeId(id);
        let currency = Currency::parse(&currency).map_err(DbError::impossible_row)?;
        let category = PriceCategory {
            name,
            code: code.parse().map_err(DbError::impossible_row)?,
            price: Money::from_decimal(currency, amount).map_err(DbError::impossible_row)?,
        };
        match schemes.last_mut().filter(|last| last.id == id) {
            Some(scheme) => scheme.categories.push(category),
            None => schemes.push(PricingScheme {
                id,
                currency,
                categories: vec![category],
            }),
        }
    }
    Ok(schemes)
}
