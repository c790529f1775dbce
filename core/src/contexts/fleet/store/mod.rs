//! Fleet's tables, each with what belongs to it.

pub(super) mod alarms;
pub(super) mod batches;
pub(super) mod comparisons;
pub(super) mod conflicts;
pub(super) mod feed;
pub(super) mod gates;
pub(super) mod health;
pub(super) mod holders;
pub(super) mod journal_rows;
pub(super) mod journals;
pub(super) mod key_sets;
pub(super) mod nodes;
pub(super) mod pending;
pub(super) mod performances;
pub(super) mod refunded;
pub(super) mod scanners;
pub(super) mod sessions;
pub(super) mod sign_ins;
pub(super) mod snapshots;
pub(super) mod staff;
pub(super) mod titles;
pub(super) mod venues;
pub(super) mod watch;
pub(super) mod watermark;

use eventify_kernel::db::{DbError, DbResult};

/// PostgreSQL has no unsigned numbers; ours stay below 2⁶³.
fn signed(number: u64) -> DbResult<i64> {
    i64::try_from(number).map_err(DbError::impossible_row)
}

/// A `bytea` as JSON text, for `jsonb_populate_record`.
fn bytea(bytes: &[u8]) -> String {
    format!("\\x{}", hex::encode(bytes))
}

/// One column of rows, for `unnest`.
fn column<R, T>(rows: &[R], of: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
