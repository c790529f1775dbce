//! Fleet's tables. Each file is one of them with what belongs to it.

pub(super) mod alarms;
pub(super) mod batches;
pub(super) mod comparisons;
pub(super) mod conflicts;
pub(super) mod feed;
pub(super) mod gates;
pub(super) mod health;
pub(super) mod journal;
pub(super) mod nodes;
pub(super) mod pending;
pub(super) mod report;
pub(super) mod snapshots;
pub(super) mod venues;
pub(super) mod watermark;

use eventify_protocol::hash::Hash32;
use uuid::Uuid;

use eventify_kernel::db::{DbError, DbResult};

/// PostgreSQL has no unsigned numbers; ours stay below 2⁶³.
fn signed(number: u64) -> DbResult<i64> {
    i64::try_from(number).map_err(DbError::impossible_row)
}

fn unsigned(number: i64) -> DbResult<u64> {
    u64::try_from(number).map_err(DbError::impossible_row)
}

fn hash(bytes: &[u8]) -> DbResult<Hash32> {
    bytes
        .try_into()
        .map(Hash32)
        .map_err(DbError::impossible_row)
}

fn uuids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}
