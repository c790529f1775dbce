//! Pricing schemes.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, money};
use eventify_protocol::ids::{EventId, PricingSchemeId};

use rust_decimal::Decimal;
use sqlx::FromRow;

use crate::contexts::event_management::model::pricing::{PriceCategory, PricingScheme};

/// A category with its scheme.
#[derive(FromRow)]
struct CategoryRow {
    pricing_scheme_id: PricingSchemeId,
    currency: String,
    code: String,
    name: String,
    amount: Decimal,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    event: EventId,
    scheme: &PricingScheme,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into event_management.pricing_schemes
             (pricing_scheme_id, event_id, currency, created_at)
         values ($1, $2, $3, $4)",
    )
    .bind(scheme.id)
    .bind(event)
    .bind(scheme.currency.code())
    .bind(now)
    .execute(&mut *conn)
    .await?;
    for (position, category) in (0_i32..).zip(&scheme.categories) {
        sqlx::query(
            "insert into event_management.price_categories
                 (pricing_scheme_id, code, name, amount, position)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(scheme.id)
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
pub(crate) async fn list(conn: &mut PgConnection, event: EventId) -> DbResult<Vec<PricingScheme>> {
    let rows: Vec<CategoryRow> = sqlx::query_as(
        "select s.pricing_scheme_id, s.currency::text, c.code, c.name, c.amount
         from event_management.pricing_schemes s
             join event_management.price_categories c using (pricing_scheme_id)
         where s.event_id = $1 order by s.created_at, s.pricing_scheme_id, c.position",
    )
    .bind(event)
    .fetch_all(conn)
    .await?;
    let mut schemes: Vec<PricingScheme> = Vec::new();
    for row in rows {
        let price = money(&row.currency, row.amount)?;
        let category = PriceCategory {
            name: row.name,
            code: row.code.parse().map_err(DbError::impossible_row)?,
            price,
        };
        match schemes.last_mut() {
            Some(last) if last.id == row.pricing_scheme_id => last.categories.push(category),
            _ => schemes.push(PricingScheme {
                id: row.pricing_scheme_id,
                currency: price.currency(),
                categories: vec![category],
            }),
        }
    }
    Ok(schemes)
}
