//! What contexts say to each other: the events of each, with type and routing key; the sagas that
//! they make ([`flows`]); the queues of the edge nodes ([`uplink`]).
//!
//! A payload is self-sufficient: its consumers never ask back. What is published here is stored as
//! JSON Schema under `protocol/schemas/`, and changes compatibly or with a new version.

use eventify_kernel::event::EventType;

pub mod event_management;
pub mod fleet;
pub mod flows;
pub mod inventory;
pub mod order;
pub mod payment;
pub mod reservation;
pub mod ticketing;
pub mod uplink;

/// Every event type there is.
#[must_use]
pub fn all() -> Vec<EventType> {
    [
        event_management::events(),
        fleet::events(),
        inventory::events(),
        order::events(),
        payment::events(),
        reservation::events(),
        ticketing::events(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_type_and_each_key_stands_once() {
        let events = all();
        let kinds: HashSet<_> = events.iter().map(|event| event.kind).collect();
        let keys: HashSet<_> = events.iter().map(|event| event.routing_key).collect();
        assert_eq!((kinds.len(), keys.len()), (events.len(), events.len()));
    }
}
