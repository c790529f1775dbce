//! Representations that are kept in memory.

use std::collections::BTreeMap;

use super::Representation;

/// Those of things that never change, by their ids; those that nobody asked for longest go first.
#[derive(Debug)]
pub struct Kept<K> {
    most_bytes: usize,
    kept: BTreeMap<K, (Representation, u64)>,
    /// Counts up with each request.
    turn: u64,
}

impl<K: Ord + Copy> Kept<K> {
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
    pub fn find(&mut self, id: K) -> Option<Representation> {
        self.turn += 1;
        let (found, last_asked) = self.kept.get_mut(&id)?;
        *last_asked = self.turn;
        Some(found.clone())
    }

    /// Keeps one.
    pub fn insert(&mut self, id: K, made: Representation) {
        self.turn += 1;
        self.kept.insert(id, (made, self.turn));
        while self.kept.len() > 1 && self.bytes() > self.most_bytes {
            let longest = self.kept.iter().min_by_key(|(_, (_, asked))| *asked);
            let Some(longest) = longest.map(|(id, _)| *id) else {
                return;
            };
            self.kept.remove(&longest);
        }
    }

    fn bytes(&self) -> usize {
        self.kept.values().map(|(it, _)| it.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asked_for_longest_goes_when_the_memory_is_full() {
        let made = |text: &str| Representation::json(&text).unwrap();
        let size = made("plan").bytes();
        let mut kept = Kept::at_most(2 * size);
        kept.insert(1, made("one!"));
        kept.insert(2, made("two!"));
        assert!(kept.find(1).is_some());
        kept.insert(3, made("new!"));
        let left = [1, 2, 3].map(|id| kept.find(id).is_some());
        assert_eq!(left, [true, false, true]);
        kept.insert(4, made(&"x".repeat(3 * size)));
        let left = [1, 3, 4].map(|id| kept.find(id).is_some());
        assert_eq!(left, [false, false, true], "one alone is kept");
    }
}
