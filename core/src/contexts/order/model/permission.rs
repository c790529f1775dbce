//! Who may pay back tickets of an order at any time.

use super::{Order, PaidTicket, Performance};

/// Whether somebody may pay back some tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Granted,
    /// A performance of theirs has not arrived here: nobody can say whose it is.
    NotKnownYet,
    Denied,
}

/// Whether whoever runs performances in this way may pay back these tickets of an order. Who runs
/// nothing of an order learns nothing of it, not even that its tickets are being issued.
pub(crate) fn permission(
    order: &Order,
    named: &[PaidTicket],
    known: &[Performance],
    runs: impl Fn(&Performance) -> bool,
) -> Permission {
    if !known.iter().any(&runs) {
        return if known.is_empty() && !order.items.is_empty() {
            Permission::NotKnownYet
        } else {
            Permission::Denied
        };
    }
    let mut result = Permission::Granted;
    for ticket in named {
        let mut known = known.iter();
        match known.find(|it| it.performance_id == ticket.performance_id) {
            Some(performance) if runs(performance) => {}
            Some(_) => return Permission::Denied,
            None => result = Permission::NotKnownYet,
        }
    }
    result
}
