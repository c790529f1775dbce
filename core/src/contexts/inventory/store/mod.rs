//! The tables of inventory.
//!
//! Locks are always taken in this order, so that no two transactions wait for each other: holds
//! by id, then seats by id, then slots by (performance, zone, slot). Only the one-slot way into a
//! zone takes a slot out of turn; where it fails, its transaction is given up.

use eventify_protocol::token::CategoryCode;

use eventify_kernel::db::{DbError, DbResult};

pub(super) mod availability;
pub(super) mod claim;
pub(super) mod layout;
pub(super) mod release;
pub(super) mod stock;
pub(super) mod venues;

fn codes(texts: &[String]) -> DbResult<Vec<CategoryCode>> {
    texts
        .iter()
        .map(|text| text.parse().map_err(DbError::impossible_row))
        .collect()
}

fn texts(codes: &[CategoryCode]) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

/// PostgreSQL has no unsigned numbers; what is counted here is never negative.
fn count(number: i64) -> DbResult<u32> {
    u32::try_from(number).map_err(DbError::impossible_row)
}

fn int(number: u32) -> DbResult<i32> {
    i32::try_from(number).map_err(DbError::impossible_row)
}
