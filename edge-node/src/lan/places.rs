//! How many there may be of something for each of those who ask: connections of an address, streams
//! of a scanner.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex},
};

use super::locked;

/// Places, so many for each key. Keys that hold none take no memory.
#[derive(Debug)]
pub(super) struct Places<K: Eq + Hash> {
    each: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// One place, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place<K: Copy + Eq + Hash> {
    of: Arc<Places<K>>,
    key: K,
}

impl<K: Copy + Eq + Hash> Places<K> {
    pub(super) fn new(each: usize) -> Arc<Self> {
        let taken = Mutex::default();
        Arc::new(Self { each, taken })
    }

    /// None if `key` has all of its places.
    pub(super) fn take(self: &Arc<Self>, key: K) -> Option<Place<K>> {
        let mut taken = locked(&self.taken);
        let count = taken.get(&key).copied().unwrap_or(0);
        if count >= self.each {
            return None;
        }
        taken.insert(key, count + 1);
        Some(Place {
            of: Arc::clone(self),
            key,
        })
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = locked(&self.of.taken);
        let left = taken.get(&self.key).map_or(0, |count| count - 1);
        if left == 0 {
            taken.remove(&self.key);
        } else {
            taken.insert(self.key, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_so_many_places_and_those_given_back_are_free() {
        let places = Places::new(2);
        let (first, second) = (places.take('a').unwrap(), places.take('a').unwrap());
        assert!(places.take('a').is_none());
        let other = places.take('b').unwrap();
        drop(first);
        let third = places.take('a').unwrap();
        assert!(places.take('a').is_none());
        drop((second, third, other));
        assert!(locked(&places.taken).is_empty());
    }
}
