//! Pure decisions of ticketing. Those about entries stand in `eventify_sync::core`.

mod batch;
mod issue;
mod ledger;
mod scan;
mod settings;
mod ticket;

pub(super) use batch::Batch;
pub(super) use issue::{IssueError, Margins, PaidOrder, Performance, issue};
pub(super) use ledger::{Changes, Ledger};
pub(super) use scan::{Gate, KnownConflict, Node, Scan, Sight};
pub use settings::Settings;
pub(super) use ticket::{Refused, Ticket, date};
