//! The feed beside what ticketing has stated (ADMISSION 5.2).

use std::collections::BTreeMap;

use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::TicketId;
use eventify_protocol::sync::{FeedEntry, Value};

use eventify_contracts::fleet::{Doubt, TicketDoubt};
use eventify_contracts::ticketing::{StatedTicket, TicketRange};

/// A ticket's newest entry, as the feed's table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldTicket {
    pub(crate) id: TicketId,
    pub(crate) version: u64,
    pub(crate) row: Option<HeldRow>,
}

/// What nodes hold of it; a deleted ticket has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldRow {
    pub(crate) hash: Hash32,
    /// Unix seconds; none if it can't be read, which is a doubt of its own.
    pub(crate) expiry: Option<i64>,
}

impl HeldRow {
    /// A row of the table. Its version stands beside it too, and keeps older entries out: where both
    /// are not the same, the row adds up to nothing that was ever stated.
    pub(crate) fn read(bytes: &[u8], version: u64) -> Self {
        let entry: Option<FeedEntry> = minicbor::decode(bytes).ok();
        let agrees = entry.as_ref().is_some_and(|entry| entry.version == version);
        let expiry = match entry.and_then(|entry| entry.value) {
            Some(Value::Ticket(ticket)) => Some(ticket.expiry),
            Some(
                Value::Policy(_)
                | Value::KeySet(_)
                | Value::Node(_)
                | Value::Gate(_)
                | Value::Performance(_),
            )
            | None => None,
        };
        let hash = if agrees {
            Hash32::of(bytes)
        } else {
            Hash32::ZERO
        };
        Self { hash, expiry }
    }
}

impl HeldTicket {
    /// The row's hash, if it still admits after the statement's moment.
    pub(crate) fn counted(&self, range: &TicketRange) -> Option<Hash32> {
        let row = self.row?;
        let over = row
            .expiry
            .is_some_and(|expiry| expiry <= range.expiring_after);
        (!over).then_some(row.hash)
    }
}

/// What is held otherwise than it was stated. All that was committed before the statement is held:
/// an older version, or none, is not one that is still on its way.
pub(crate) fn doubts(
    range: &TicketRange,
    stated: &[StatedTicket],
    held: impl IntoIterator<Item = HeldTicket>,
) -> Vec<TicketDoubt> {
    let mut missing: BTreeMap<TicketId, &StatedTicket> = stated
        .iter()
        .map(|ticket| (ticket.ticket_id, ticket))
        .collect();
    let mut doubts = Vec::new();
    for held in held {
        let doubt = match missing.remove(&held.id) {
            Some(stated) => differs(stated, &held),
            None => held.counted(range).map(|_| Doubt::Unknown),
        };
        doubts.extend(doubt.map(|doubt| TicketDoubt {
            ticket_id: held.id,
            doubt,
            held_version: Some(held.version),
        }));
    }
    doubts.extend(missing.into_keys().map(|ticket_id| TicketDoubt {
        ticket_id,
        doubt: Doubt::Missing,
        held_version: None,
    }));
    doubts
}

fn differs(stated: &StatedTicket, held: &HeldTicket) -> Option<Doubt> {
    let version = u64::try_from(stated.version).unwrap_or_default();
    match held.row {
        None => Some(Doubt::Missing),
        Some(_) if held.version < version => Some(Doubt::Older),
        Some(_) if held.version > version => Some(Doubt::Newer),
        Some(row) => (row.hash != stated.hash).then_some(Doubt::Altered),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const RANGE: TicketRange = TicketRange {
        after: None,
        through: None,
        expiring_after: 100,
    };

    fn id(number: u128) -> TicketId {
        TicketId(Uuid::from_u128(number))
    }

    fn stated(number: u128, version: i32) -> StatedTicket {
        StatedTicket {
            ticket_id: id(number),
            version,
            hash: Hash32([1; 32]),
        }
    }

    fn held(number: u128, version: u64) -> HeldTicket {
        let row = HeldRow {
            hash: Hash32([1; 32]),
            expiry: Some(200),
        };
        HeldTicket {
            id: id(number),
            version,
            row: Some(row),
        }
    }

    fn found(
        stated: &[StatedTicket],
        held: Vec<HeldTicket>,
    ) -> Vec<(TicketId, Doubt, Option<u64>)> {
        doubts(&RANGE, stated, held)
            .into_iter()
            .map(|it| (it.ticket_id, it.doubt, it.held_version))
            .collect()
    }

    #[test]
    fn what_is_held_as_it_was_stated_is_not_doubted() {
        assert_eq!(
            found(&[stated(1, 3), stated(2, 1)], vec![held(1, 3), held(2, 1)]),
            []
        );
    }

    #[test]
    fn each_difference_has_its_name() {
        let other = HeldTicket {
            row: Some(HeldRow {
                hash: Hash32([2; 32]),
                expiry: Some(200),
            }),
            ..held(1, 3)
        };
        let dead = HeldTicket {
            row: None,
            ..held(1, 4)
        };
        for (held, doubt, version) in [
            (vec![other], Doubt::Altered, Some(3)),
            (vec![held(1, 2)], Doubt::Older, Some(2)),
            (vec![held(1, 4)], Doubt::Newer, Some(4)),
            (vec![dead], Doubt::Missing, Some(4)),
            (vec![], Doubt::Missing, None),
        ] {
            assert_eq!(found(&[stated(1, 3)], held), [(id(1), doubt, version)]);
        }
        assert_eq!(
            found(&[], vec![held(7, 1)]),
            [(id(7), Doubt::Unknown, Some(1))]
        );
    }

    #[test]
    fn only_tickets_that_still_admit_are_unknown() {
        let with_expiry = |expiry| HeldTicket {
            row: Some(HeldRow {
                hash: Hash32([1; 32]),
                expiry,
            }),
            ..held(1, 1)
        };
        assert_eq!(found(&[], vec![with_expiry(Some(100))]), []);
        assert_eq!(found(&[], vec![with_expiry(Some(101))]).len(), 1);
        let unreadable = HeldRow::read(b"rubbish", 1);
        assert_eq!(unreadable.expiry, None);
        assert_eq!(found(&[], vec![with_expiry(unreadable.expiry)]).len(), 1);
    }
}
