//! Pure decisions of ticketing. Those about entries stand in `eventify_sync::core`.

mod issue;
mod ticket;

pub(super) use issue::{IssueError, Margins, PaidOrder, Performance, issue};
pub(super) use ticket::{Refused, State, Ticket, date};
