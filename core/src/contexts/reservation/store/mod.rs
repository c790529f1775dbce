//! The tables of reservation.

mod carts;
mod offers;

use eventify_kernel::db::{DbError, DbResult};
use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;

pub(super) use carts::{
    count_open, delete_item, find, insert, insert_items, list_overdue, lock, update,
};
pub(super) use offers::{
    PerformanceRow, PriceRow, find_offer, insert_cancelled_performance, insert_published_event,
    upsert_performance,
};

fn money(currency: &str, amount: Decimal) -> DbResult<Money> {
    Currency::parse(currency)
        .and_then(|currency| Money::from_decimal(currency, amount))
        .map_err(DbError::impossible_row)
}
