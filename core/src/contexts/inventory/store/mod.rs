//! The tables of inventory.
//!
//! Locks are always taken in this order, so that no two transactions wait for each other: the order,
//! what is kept back of it, its guests, the attempt, holds by id, then seats by id, then slots by
//! (performance, zone, slot). Only the one-slot way into a zone takes a slot out of turn; where it fails,
//! its transaction is rolled back.

use eventify_kernel::db::{DbError, DbResult};
use eventify_protocol::token::CategoryCode;

pub(super) mod attempts;
pub(super) mod availability;
pub(super) mod claim;
pub(super) mod guests;
pub(super) mod held;
pub(super) mod holds;
pub(super) mod kept_back;
pub(super) mod layout;
pub(super) mod layouts;
pub(super) mod orders;
pub(super) mod plans;
pub(super) mod release;
pub(super) mod stock;
pub(super) mod venue_words;
pub(super) mod venues;

/// One column of many rows, for `unnest`.
fn column<'a, Row: 'a, Value>(
    rows: impl IntoIterator<Item = &'a Row>,
    value: impl FnMut(&'a Row) -> Value,
) -> Vec<Value> {
    rows.into_iter().map(value).collect()
}

/// For `string_to_array(…, ',')`: `unnest` would flatten an array of arrays.
fn joined(codes: &[CategoryCode]) -> String {
    column(codes, ToString::to_string).join(",")
}

/// PostgreSQL has no unsigned numbers; what is counted here is never negative.
fn int(number: u32) -> DbResult<i32> {
    i32::try_from(number).map_err(DbError::impossible_row)
}
