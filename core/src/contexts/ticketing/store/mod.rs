//! The tables of ticketing.

mod admission;
mod entries;
mod gates;
mod journals;
mod keys;
mod orders;
mod performances;
mod scans;
mod statements;
mod tickets;

pub(super) use admission::{Locked, Question, lock_for_scans, look, note};
pub(super) use entries::{conflicts, drop_conflicts, save_check_ins, save_conflict};
pub(super) use gates::{assign, assigned, is_assigned, note_gate, note_node, unassign};
pub(super) use journals::{applied, keep_batch, lock_journal, take_batch};
pub(super) use keys::{add_key_set, lock_key_sets, newest_key_set};
pub(super) use orders::{Order, add_order, close_order, end_order, lock_order, overdue_orders};
pub(super) use performances::{organiser_of_event, performances, schedule};
pub(super) use scans::{save_scans, scans};
pub(super) use statements::{Schedule, clock, note_statement, tickets_in, venues_due};
pub(super) use tickets::{
    add_tickets, find_ticket, list_tickets, lock_tickets, save_tickets, taken_seat,
    tickets_of_order,
};

use eventify_protocol::hash::Hash32;

use eventify_kernel::db::{DbError, DbResult};

/// Counts are stored signed, PostgreSQL has no other.
fn unsigned<N: TryInto<U>, U>(value: N) -> DbResult<U>
where
    N::Error: std::fmt::Display,
{
    value.try_into().map_err(DbError::impossible_row)
}

fn hash(bytes: &[u8]) -> DbResult<Hash32> {
    let bytes = bytes
        .try_into()
        .map_err(|_| DbError::impossible_row("a hash of another length than 32 bytes"))?;
    Ok(Hash32(bytes))
}
