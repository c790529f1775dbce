//! What a consumer of an uplink has in hand: messages that are worked on, and those that wait for a place.
//! Of some kinds each sender has one place at most, however long its message takes.

use std::collections::{HashMap, VecDeque};

use super::uplink::Binding;

/// Messages of one queue. How many wait is bounded by how many the broker delivers ahead.
#[derive(Debug)]
pub(super) struct InHand<M> {
    bindings: &'static [Binding],
    places: usize,
    /// How many are worked on, by routing key: by sender and kind.
    working: HashMap<String, usize>,
    waiting: VecDeque<Waiting<M>>,
}

/// A message within its sender's share.
#[derive(Debug)]
pub(super) struct Waiting<M> {
    pub(super) routing_key: String,
    pub(super) message: M,
    /// Messages of its sender that were dropped before it, and are to be reported with it.
    pub(super) dropped: u64,
    is_one_at_a_time: bool,
}

impl<M> InHand<M> {
    pub(super) fn new(bindings: &'static [Binding], places: usize) -> Self {
        Self {
            bindings,
            places,
            working: HashMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Places at which nothing is worked on.
    pub(super) fn free(&self) -> usize {
        self.places - self.working.values().sum::<usize>()
    }

    /// Has a message wait. Of a kind with one place a sender, it waits instead of an earlier one, which is
    /// returned: a sender that asks again has no use for the answer to what it asked before.
    pub(super) fn put(&mut self, routing_key: &str, message: M, dropped: u64) -> Option<M> {
        let binding = self.bindings.iter().find(|it| it.matches(routing_key));
        let is_one_at_a_time = binding.is_some_and(|binding| binding.one_at_a_time);
        if is_one_at_a_time {
            let mut waiting = self.waiting.iter_mut();
            if let Some(earlier) = waiting.find(|it| it.routing_key == routing_key) {
                earlier.dropped += dropped;
                return Some(std::mem::replace(&mut earlier.message, message));
            }
        }
        self.waiting.push_back(Waiting {
            routing_key: routing_key.to_owned(),
            message,
            dropped,
            is_one_at_a_time,
        });
        None
    }

    /// The next message to be worked on, which has a place until [`InHand::end`]: the first that waits, and
    /// not for its own sender.
    pub(super) fn begin(&mut self) -> Option<Waiting<M>> {
        if self.free() == 0 {
            return None;
        }
        let may_begin =
            |it: &Waiting<M>| !it.is_one_at_a_time || !self.working.contains_key(&it.routing_key);
        let next = self.waiting.iter().position(may_begin)?;
        let next = self.waiting.remove(next)?;
        *self.working.entry(next.routing_key.clone()).or_default() += 1;
        Some(next)
    }

    /// A message with this key is done.
    pub(super) fn end(&mut self, routing_key: &str) {
        if let Some(count) = self.working.get_mut(routing_key) {
            *count -= 1;
            if *count == 0 {
                self.working.remove(routing_key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDINGS: &[Binding] = &[
        Binding::of("ev1.up.*.pull", 10, 8).one_at_a_time(),
        Binding::of("ev1.up.*.health", 2, 60),
    ];

    fn begun(in_hand: &mut InHand<u8>) -> Vec<u8> {
        let all = std::iter::from_fn(|| in_hand.begin().map(|it| it.message));
        all.collect()
    }

    #[test]
    fn a_sender_has_one_place_and_its_newest_message_is_next() {
        let mut in_hand = InHand::new(BINDINGS, 4);
        assert_eq!(in_hand.put("ev1.up.a.pull", 1, 0), None);
        assert_eq!(begun(&mut in_hand), [1]);
        assert_eq!(in_hand.put("ev1.up.a.pull", 2, 3), None);
        assert_eq!(in_hand.put("ev1.up.b.pull", 10, 0), None);
        assert_eq!(in_hand.put("ev1.up.a.pull", 3, 4), Some(2));
        assert_eq!(begun(&mut in_hand), [10]);
        assert_eq!(in_hand.free(), 2);
        in_hand.end("ev1.up.a.pull");
        let next = in_hand.begin().expect("its place is free");
        assert_eq!((next.message, next.dropped), (3, 7), "none is unreported");
    }

    #[test]
    fn other_kinds_wait_for_places_alone_and_in_order() {
        let mut in_hand = InHand::new(BINDINGS, 2);
        for message in 1..=4 {
            assert_eq!(in_hand.put("ev1.up.a.health", message, 0), None);
        }
        assert_eq!(begun(&mut in_hand), [1, 2]);
        assert_eq!(in_hand.free(), 0);
        in_hand.end("ev1.up.a.health");
        assert_eq!(begun(&mut in_hand), [3]);
        in_hand.end("ev1.up.a.health");
        in_hand.end("ev1.up.a.health");
        assert_eq!(begun(&mut in_hand), [4]);
        assert_eq!(in_hand.free(), 1);
    }
}
