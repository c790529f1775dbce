//! How many tickets are good, and how many of their guests are inside, by performance, category and gate.
//! The numbers change with the rows, in the same transaction.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{GateId, PerformanceId, TicketId},
    sync::{FeedEntry, TicketEntry, TicketState, Value},
    token::CategoryCode,
};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{StoreError, from_sql, reader::ticket_entry, rows};

/// Good tickets that have all of this in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TicketKind {
    pub performance: PerformanceId,
    pub category: CategoryCode,
    /// Through which their guests came in; none for those that nobody has used.
    pub gate: Option<GateId>,
}

/// What a transaction changes.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<TicketKind, i64>);

impl TicketKind {
    /// None for a ticket that is not good.
    fn of(ticket: &TicketEntry) -> Option<Self> {
        let gate = match ticket.state {
            TicketState::Valid => None,
            TicketState::Used(by) => Some(by.gate),
            TicketState::Revoked | TicketState::Suspended => return None,
        };
        Some(Self {
            performance: ticket.performance,
            category: ticket.category,
            gate,
        })
    }

    fn of_entry(entry: &FeedEntry) -> Option<Self> {
        match &entry.value {
            Some(Value::Ticket(ticket)) => Self::of(ticket),
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
        }
    }
}

impl Changes {
    pub(super) fn insert(&mut self, entry: &FeedEntry) {
        self.add(entry, 1);
    }

    pub(super) fn delete(&mut self, entry: &FeedEntry) {
        self.add(entry, -1);
    }

    fn add(&mut self, entry: &FeedEntry, by: i64) {
        if let Some(kind) = TicketKind::of_entry(entry) {
            *self.0.entry(kind).or_default() += by;
        }
    }

    pub(super) fn write(self, connection: &Connection) -> Result<(), StoreError> {
        let mut update = connection.prepare_cached(
            "INSERT INTO ticket_counts (performance, category, gate, tickets) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET tickets = tickets + excluded.tickets",
        )?;
        let mut delete = connection.prepare_cached(
            "DELETE FROM ticket_counts
             WHERE performance = ? AND category = ? AND gate = ? AND tickets = 0",
        )?;
        for (kind, by) in self.0.into_iter().filter(|(_, by)| *by != 0) {
            let performance = *kind.performance.as_uuid().as_bytes();
            let gate = kind.gate.map(|gate| *gate.as_uuid().as_bytes());
            let gate = gate.as_ref().map_or(&[][..], |gate| &gate[..]);
            let category = kind.category.as_str();
            update.execute(params![performance, category, gate, by])?;
            delete.execute(params![performance, category, gate])?;
        }
        Ok(())
    }
}

/// The numbers as stored, with a node's own admissions that the replica does not show yet.
pub(super) fn count(
    connection: &Connection,
    own: &[(TicketId, GateId)],
) -> Result<BTreeMap<TicketKind, u64>, StoreError> {
    let mut counts = stored(connection)?;
    // An override stands beside the admission before it, and a ticket is one guest here.
    let own: BTreeMap<_, _> = own.iter().copied().collect();
    for (ticket, gate) in own {
        let Some(bytes) = rows::find_ticket(connection, ticket)? else {
            continue;
        };
        let kind = ticket_entry(rows::decode(&bytes)?).and_then(|entry| TicketKind::of(&entry));
        // One that is used already is counted already.
        let Some(unused) = kind.filter(|kind| kind.gate.is_none()) else {
            continue;
        };
        if let Some(left) = counts.get_mut(&unused) {
            *left = left.saturating_sub(1);
        }
        let inside = TicketKind {
            gate: Some(gate),
            ..unused
        };
        *counts.entry(inside).or_default() += 1;
    }
    Ok(counts)
}

fn stored(connection: &Connection) -> Result<BTreeMap<TicketKind, u64>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT performance, category, gate, tickets FROM ticket_counts")?;
    let mut found = statement.query(())?;
    let mut counts = BTreeMap::new();
    while let Some(row) = found.next()? {
        let category: String = row.get(1)?;
        let gate = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let Ok(category) = category.parse() else {
            return Err(StoreError::Damaged);
        };
        let kind = TicketKind {
            performance: PerformanceId(Uuid::from_bytes(row.get(0)?)),
            category,
            gate: Uuid::from_slice(gate).ok().map(GateId),
        };
        counts.insert(kind, from_sql(row.get(3)?));
    }
    Ok(counts)
}
