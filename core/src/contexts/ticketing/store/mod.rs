//! The tables of ticketing.

mod assignments;
mod check_ins;
mod codes;
mod conflicts;
mod gates;
mod journals;
mod keys;
mod orders;
mod passages;
mod performances;
mod reissues;
mod scans;
mod snapshots;
mod statements;
mod tickets;
mod venues;

use eventify_kernel::db::{DbError, DbResult};
use eventify_protocol::hash::Hash32;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _, ValueRef as _};

pub(super) use assignments::{
    delete_assignment, insert_assignment, is_assigned, is_assigned_to, list_assignments,
};
pub(super) use check_ins::replace_check_ins;
pub(super) use codes::{find_ticket_of_code, list_without_code};
pub(super) use conflicts::{delete_conflicts, list_conflicts, upsert_conflicts};
pub(super) use gates::{has_gates, upsert_gate, upsert_node};
pub(super) use journals::{insert_batch, lock_journal, take_batch, update_journal};
pub(super) use keys::{find_key_set, insert_key_set, lock_key_sets};
pub(super) use orders::{close_order, end_order, insert_order, list_due_orders, lock_order};
pub(super) use passages::{insert_passage_ends, list_passage_ends};
pub(super) use performances::{
    count_outlived_tokens, find_end_of_programme, find_organiser, insert_cancelled_performance,
    insert_confirmed_performance, list_performances, upsert_performance,
};
pub(super) use reissues::{insert_reissue, list_reissues};
pub(super) use scans::{delete_scans, list_scans, mark_told, upsert_scans};
pub(super) use snapshots::{find_snapshots, lock_tickets_of_scans, upsert_decided};
pub(super) use statements::{database_now, list_due_venues, list_tickets_in, upsert_statement};
pub(super) use tickets::{
    find_taken_seat, find_ticket, insert_tickets, list_tickets_of_customer, list_tickets_of_order,
    list_tickets_of_seat, lock_tickets, update_tickets,
};
pub(super) use venues::{find_time_zone, list_time_zones, upsert_venue};

/// Counts are stored signed, PostgreSQL has no other.
fn unsigned<N: TryInto<U>, U>(value: N) -> DbResult<U>
where
    N::Error: std::fmt::Display,
{
    value.try_into().map_err(DbError::impossible_row)
}

fn signed(value: u64) -> DbResult<i64> {
    i64::try_from(value).map_err(DbError::impossible_row)
}

fn hash(bytes: &[u8]) -> DbResult<Hash32> {
    let bytes = bytes
        .try_into()
        .map_err(|_| DbError::impossible_row("a hash of another length than 32 bytes"))?;
    Ok(Hash32(bytes))
}

/// One column of many rows, for `unnest`.
fn column<'r, T, U>(rows: &'r [T], of: impl Fn(&'r T) -> U) -> Vec<U> {
    rows.iter().map(of).collect()
}

/// The row of an outer join, if there is one: its key is not null.
fn joined<'r, T: FromRow<'r, PgRow>>(row: &'r PgRow, key: &str) -> sqlx::Result<Option<T>> {
    if row.try_get_raw(key)?.is_null() {
        return Ok(None);
    }
    T::from_row(row).map(Some)
}
