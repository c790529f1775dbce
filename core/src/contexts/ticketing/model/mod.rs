//! Pure decisions of ticketing. Those about entries are in `eventify_sync::core`.

mod codes;
mod conflicts;
mod entries;
mod issuing;
mod journals;
mod performances;
mod reach;
mod refunded;
mod scans;
mod settings;
mod suspicions;
mod tickets;

pub(super) use codes::TicketCode;
pub(super) use conflicts::PublishedConflict;
pub(super) use entries::{Changes, Entered, StoredEntries};
pub(super) use issuing::{IssueError, Order, PaidOrder, TokenTerms, issue};
pub(super) use journals::{Batch, Reconciliation};
pub(super) use performances::{Performance, Window};
pub use reach::CantSign;
pub(super) use reach::{Reminder, can_sign, remind};
pub(super) use refunded::{RefundedEntry, refunded_admitted};
pub(super) use scans::{
    Gate, Node, Presented, ScanAnswer, ScanError, ScanRequest, Snapshot, StoredScan,
};
pub use settings::Settings;
pub(crate) use suspicions::Suspicions;
pub(super) use tickets::{FRAUD, Refused, Ticket, date};
