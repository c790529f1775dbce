//! A context's queues of events, by who waits for them (DECISIONS 16, 46).

use std::collections::BTreeSet;
use std::fmt;

use super::{Purpose, Uplink};
use crate::db::Work;

/// Which messages go where, as the contracts define.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Queues, and the routing keys that each is bound to.
    pub bindings: BTreeSet<(EventQueue, &'static str)>,
    /// Event types that at least one queue must receive.
    pub awaited: BTreeSet<&'static str>,
    pub uplinks: Vec<Uplink>,
}

/// Who waits for an event's effect. In each lane a context has a queue with its retries and dead
/// letters, a consumer and connections of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Customers, organisers, the back office.
    Ordinary,
    /// Guests at a gate: nothing that the shop does stands before these events.
    Gates,
}

/// One of a context's queues of events. Which of them an event is taken from makes no difference to
/// its consumer: what stands in a queue that no longer gets events of its type has its effect too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventQueue {
    pub context: &'static str,
    pub lane: Lane,
}

/// The name, from which those of its four queues are made: `ticketing`, `ticketing.gates`.
impl fmt::Display for EventQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lane {
            Lane::Ordinary => write!(f, "{}", self.context),
            Lane::Gates => write!(f, "{}.gates", self.context),
        }
    }
}

impl Lane {
    pub(super) const fn work(self) -> Work {
        match self {
            Self::Ordinary => Work::Ordinary,
            Self::Gates => Work::Gates,
        }
    }

    pub(super) const fn purpose(self) -> Purpose {
        match self {
            Self::Ordinary => Purpose::Consume,
            Self::Gates => Purpose::Uplink,
        }
    }

    /// Messages that are worked on at once. Those for gates leave half of their connections to scans
    /// and questions, which wait for milliseconds and not for seconds.
    pub(super) fn at_once(self, concurrency: u16, gate_connections: u32) -> u16 {
        let half = u16::try_from(gate_connections / 2).unwrap_or(u16::MAX);
        match self {
            Self::Ordinary => concurrency,
            Self::Gates => concurrency.min(half).max(1),
        }
    }
}

impl EventQueue {
    /// The queue that a context has in any case.
    #[must_use]
    pub const fn ordinary(context: &'static str) -> Self {
        Self {
            context,
            lane: Lane::Ordinary,
        }
    }

    /// The queue of what gates wait for.
    #[must_use]
    pub const fn gates(context: &'static str) -> Self {
        Self {
            context,
            lane: Lane::Gates,
        }
    }

    /// The same context's queue in the other lane.
    const fn other(self) -> Self {
        match self.lane {
            Lane::Ordinary => Self::gates(self.context),
            Lane::Gates => Self::ordinary(self.context),
        }
    }
}

impl Routing {
    /// The queues of these contexts: the ordinary one of each, and one for gates where it is bound.
    pub(super) fn queues(&self, contexts: &[&'static str]) -> Vec<EventQueue> {
        let of_context = |context: &&'static str| {
            let gates = EventQueue::gates(context);
            let is_bound = self.bindings.iter().any(|(queue, _)| *queue == gates);
            [EventQueue::ordinary(context)]
                .into_iter()
                .chain(is_bound.then_some(gates))
        };
        contexts.iter().flat_map(of_context).collect()
    }

    /// The keys that a queue is bound to.
    pub(super) fn keys_of(&self, queue: EventQueue) -> impl Iterator<Item = &'static str> {
        let of_queue =
            move |(bound, key): &(EventQueue, &'static str)| (*bound == queue).then_some(*key);
        self.bindings.iter().filter_map(of_queue)
    }

    /// The keys that a queue may still be bound to by an earlier release: those of the other lane.
    pub(super) fn keys_no_longer_of(
        &self,
        queue: EventQueue,
    ) -> impl Iterator<Item = &'static str> {
        let is_bound = move |key: &&'static str| self.bindings.contains(&(queue, *key));
        self.keys_of(queue.other())
            .filter(move |key| !is_bound(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_changes_its_lane_is_taken_from_the_other_queue() {
        let (ordinary, gates) = (
            EventQueue::ordinary("ticketing"),
            EventQueue::gates("ticketing"),
        );
        let routing = Routing {
            bindings: [
                (ordinary, "order.paid"),
                (gates, "journal"),
                (gates, "order.paid"),
            ]
            .into(),
            ..Routing::default()
        };
        let list = |queue| Vec::from_iter(routing.keys_no_longer_of(queue));
        assert_eq!(list(ordinary), ["journal"]);
        assert_eq!(list(gates), [""; 0]);
        let queues = routing.queues(&["order", "ticketing"]);
        assert_eq!(queues, [EventQueue::ordinary("order"), ordinary, gates]);
        assert_eq!(gates.to_string(), "ticketing.gates");
    }

    #[test]
    fn events_for_gates_leave_half_of_their_connections_to_scans() {
        for (concurrency, connections, at_once) in [(16, 8, 4), (2, 8, 2), (16, 2, 1), (1, 1, 1)] {
            assert_eq!(Lane::Gates.at_once(concurrency, connections), at_once);
            assert_eq!(
                Lane::Ordinary.at_once(concurrency, connections),
                concurrency
            );
        }
    }
}
