//! What costs much to make and is asked for again, kept within a bound of memory.

use std::collections::BTreeMap;

/// Values by their ids; those that nobody asked for longest go first.
#[derive(Clone, Debug)]
pub struct Kept<K, V> {
    most_bytes: usize,
    kept: BTreeMap<K, One<V>>,
    /// Counts up with each request.
    turn: u64,
}

#[derive(Clone, Debug)]
struct One<V> {
    value: V,
    bytes: usize,
    last_asked: u64,
}

impl<K: Ord + Copy, V> Kept<K, V> {
    /// None yet, and at most so many bytes, if it isn't one alone that is larger.
    #[must_use]
    pub fn at_most(bytes: usize) -> Self {
        Self {
            most_bytes: bytes,
            kept: BTreeMap::new(),
            turn: 0,
        }
    }

    /// The one of this id, if it is kept.
    pub fn find(&mut self, id: K) -> Option<&V> {
        self.turn += 1;
        let found = self.kept.get_mut(&id)?;
        found.last_asked = self.turn;
        Some(&found.value)
    }

    /// Keeps one, which takes so many bytes.
    pub fn insert(&mut self, id: K, value: V, bytes: usize) {
        self.turn += 1;
        let last_asked = self.turn;
        let one = One {
            value,
            bytes,
            last_asked,
        };
        self.kept.insert(id, one);
        while self.kept.len() > 1 && self.bytes() > self.most_bytes {
            let longest = self.kept.iter().min_by_key(|(_, one)| one.last_asked);
            let Some(longest) = longest.map(|(id, _)| *id) else {
                return;
            };
            self.kept.remove(&longest);
        }
    }

    fn bytes(&self) -> usize {
        self.kept.values().map(|one| one.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asked_for_longest_goes_when_the_memory_is_full() {
        let mut kept = Kept::at_most(2);
        kept.insert(1, "one", 1);
        kept.insert(2, "two", 1);
        assert_eq!(kept.find(1), Some(&"one"));
        kept.insert(3, "new", 1);
        let left = [1, 2, 3].map(|id| kept.find(id).is_some());
        assert_eq!(left, [true, false, true]);
        kept.insert(4, "large", 3);
        let left = [1, 3, 4].map(|id| kept.find(id).is_some());
        assert_eq!(left, [false, false, true], "one alone is kept");
    }
}
