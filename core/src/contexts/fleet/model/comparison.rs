//! The feed's tickets compared with ticketing's statements (ADMISSION 5.2).

use std::collections::{BTreeMap, BTreeSet};

use eventify_contracts::fleet::{Doubt, TicketDoubt};
use eventify_contracts::ticketing::StatedTicket;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{PerformanceId, TicketId};
use eventify_protocol::sync::{FeedEntry, Value};

/// A ticket's newest entry, as the feed's table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedTicket {
    pub(crate) id: TicketId,
    pub(crate) version: u64,
    pub(crate) row: Option<FeedRow>,
}

/// The row that nodes hold of it; a deleted ticket has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedRow {
    pub(crate) hash: Hash32,
    /// None if the entry can't be decoded: such a row is doubted too.
    pub(crate) performance: Option<PerformanceId>,
}

/// The newest entry of a performance or a person, as the feed's table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InFeed {
    pub(crate) version: i64,
    /// Nodes have it.
    pub(crate) live: bool,
    pub(crate) row: Vec<u8>,
    /// A newer one waits for the writer.
    pub(crate) is_waiting: bool,
}

impl FeedRow {
    /// Decodes a row of the table. The version column keeps older entries out: where it differs from
    /// the entry's own version, the hash becomes one that no statement has.
    pub(crate) fn decode(bytes: &[u8], version: u64) -> Self {
        let entry: Option<FeedEntry> = minicbor::decode(bytes).ok();
        let agrees = entry.as_ref().is_some_and(|entry| entry.version == version);
        let performance = match entry.and_then(|entry| entry.value) {
            Some(Value::Ticket(ticket)) => Some(ticket.performance),
            Some(
                Value::Policy(_)
                | Value::KeySet(_)
                | Value::Node(_)
                | Value::Gate(_)
                | Value::Performance(_)
                | Value::Person(_)
                | Value::Holder(_),
            )
            | None => None,
        };
        let hash = if agrees {
            Hash32::of(bytes)
        } else {
            Hash32::ZERO
        };
        Self { hash, performance }
    }
}

impl FeedTicket {
    /// The row's hash, if the ticket is part of a sum: its performance is not one of those that are
    /// over.
    pub(crate) fn hash_unless(&self, over: &BTreeSet<PerformanceId>) -> Option<Hash32> {
        let row = self.row?;
        let is_over = row.performance.is_some_and(|it| over.contains(&it));
        (!is_over).then_some(row.hash)
    }
}

/// The tickets whose rows differ from the statement. The feed holds all that was committed before
/// the statement: an older version, or none, is not an entry that is still to be written.
pub(crate) fn doubts(
    over: &BTreeSet<PerformanceId>,
    stated: &[StatedTicket],
    in_feed: impl IntoIterator<Item = FeedTicket>,
) -> Vec<TicketDoubt> {
    let mut missing: BTreeMap<TicketId, &StatedTicket> = stated
        .iter()
        .map(|ticket| (ticket.ticket_id, ticket))
        .collect();
    let mut doubts = Vec::new();
    for ticket in in_feed {
        let doubt = match missing.remove(&ticket.id) {
            Some(stated) => difference(stated, &ticket),
            None => ticket.hash_unless(over).map(|_| Doubt::Unknown),
        };
        doubts.extend(doubt.map(|doubt| TicketDoubt {
            ticket_id: ticket.id,
            doubt,
            held_version: Some(ticket.version),
        }));
    }
    doubts.extend(missing.into_keys().map(|ticket_id| TicketDoubt {
        ticket_id,
        doubt: Doubt::Missing,
        held_version: None,
    }));
    doubts
}

fn difference(stated: &StatedTicket, in_feed: &FeedTicket) -> Option<Doubt> {
    let version = u64::try_from(stated.version).unwrap_or_default();
    match in_feed.row {
        None => Some(Doubt::Missing),
        Some(_) if in_feed.version < version => Some(Doubt::Older),
        Some(_) if in_feed.version > version => Some(Doubt::Newer),
        Some(row) => (row.hash != stated.hash).then_some(Doubt::Altered),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TONIGHT: PerformanceId = PerformanceId(Uuid::from_u128(0xA1));
    const OVER: PerformanceId = PerformanceId(Uuid::from_u128(0xA2));

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

    fn in_feed(number: u128, version: u64) -> FeedTicket {
        let row = FeedRow {
            hash: Hash32([1; 32]),
            performance: Some(TONIGHT),
        };
        FeedTicket {
            id: id(number),
            version,
            row: Some(row),
        }
    }

    fn found(
        stated: &[StatedTicket],
        in_feed: Vec<FeedTicket>,
    ) -> Vec<(TicketId, Doubt, Option<u64>)> {
        doubts(&BTreeSet::from([OVER]), stated, in_feed)
            .into_iter()
            .map(|it| (it.ticket_id, it.doubt, it.held_version))
            .collect()
    }

    #[test]
    fn a_row_that_is_as_stated_is_not_doubted() {
        assert_eq!(
            found(
                &[stated(1, 3), stated(2, 1)],
                vec![in_feed(1, 3), in_feed(2, 1)]
            ),
            []
        );
    }

    #[test]
    fn each_difference_has_its_name() {
        let other = FeedTicket {
            row: Some(FeedRow {
                hash: Hash32([2; 32]),
                performance: Some(TONIGHT),
            }),
            ..in_feed(1, 3)
        };
        let dead = FeedTicket {
            row: None,
            ..in_feed(1, 4)
        };
        for (rows, doubt, version) in [
            (vec![other], Doubt::Altered, Some(3)),
            (vec![in_feed(1, 2)], Doubt::Older, Some(2)),
            (vec![in_feed(1, 4)], Doubt::Newer, Some(4)),
            (vec![dead], Doubt::Missing, Some(4)),
            (vec![], Doubt::Missing, None),
        ] {
            assert_eq!(found(&[stated(1, 3)], rows), [(id(1), doubt, version)]);
        }
        assert_eq!(
            found(&[], vec![in_feed(7, 1)]),
            [(id(7), Doubt::Unknown, Some(1))]
        );
    }

    #[test]
    fn only_tickets_that_still_admit_are_unknown() {
        let of = |performance| FeedTicket {
            row: Some(FeedRow {
                hash: Hash32([1; 32]),
                performance,
            }),
            ..in_feed(1, 1)
        };
        assert_eq!(found(&[], vec![of(Some(OVER))]), []);
        assert_eq!(found(&[], vec![of(Some(TONIGHT))]).len(), 1);
        let unreadable = FeedRow::decode(b"rubbish", 1);
        assert_eq!(unreadable.performance, None);
        assert_eq!(found(&[], vec![of(unreadable.performance)]).len(), 1);
    }
}
