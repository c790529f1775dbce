//! Who may pay back tickets of an order at any time.

use super::{PaidTicket, Performance};

/// Whether somebody may pay back some tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Granted,
    /// A performance of theirs has not arrived here: nobody can say whose it is.
    NotKnownYet,
    Denied,
}

/// Whether whoever runs performances in this way may pay back these tickets of an order, of whose
/// performances these are known. Who runs
/// nothing of an order learns nothing of it, not even that its tickets are being issued.
pub(crate) fn permission(
    named: &[PaidTicket],
    known: &[Performance],
    runs: impl Fn(&Performance) -> bool,
) -> Permission {
    if !known.iter().any(&runs) {
        return match known {
            [] => Permission::NotKnownYet,
            [..] => Permission::Denied,
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use eventify_protocol::ids::{PerformanceId, UserId};
    use eventify_protocol::money::Money;
    use uuid::Uuid;

    use super::*;

    const OWN: PerformanceId = PerformanceId(Uuid::from_u128(1));
    const OTHER: PerformanceId = PerformanceId(Uuid::from_u128(2));

    fn show(performance_id: PerformanceId) -> Performance {
        Performance {
            performance_id,
            owner_id: UserId(performance_id.as_uuid()),
            org_id: None,
            begins: DateTime::UNIX_EPOCH,
            cancelled: false,
        }
    }

    fn ticket(performance_id: PerformanceId) -> PaidTicket {
        PaidTicket {
            ticket_id: Uuid::from_u128(7).into(),
            performance_id,
            price: Money::parse("EUR", "39.00").unwrap(),
            refund_id: None,
        }
    }

    #[test]
    fn whoever_runs_each_show_of_the_named_tickets_may_pay_back() {
        let (own, other) = (ticket(OWN), ticket(OTHER));
        let of = |named: &[PaidTicket], known: &[Performance]| {
            permission(named, known, |it| it.performance_id == OWN)
        };
        let both = [show(OWN), show(OTHER)];
        assert_eq!(of(&[own], &both), Permission::Granted);
        assert_eq!(of(&[own, other], &both), Permission::Denied);
        assert_eq!(of(&[own, other], &both[..1]), Permission::NotKnownYet);
        // Of no ticket, or none of this order: what is wrong is said to whoever runs a part of it.
        assert_eq!(of(&[], &both), Permission::Granted);
        assert_eq!(of(&[], &both[1..]), Permission::Denied);
        assert_eq!(of(&[own], &both[1..]), Permission::Denied);
        assert_eq!(of(&[own], &[]), Permission::NotKnownYet);
    }
}
