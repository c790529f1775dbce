//! Group commit: what comes while a transaction runs waits for the next one and shares it.
//!
//! What comes alone starts at once. Under load a transaction takes about as long for sixty pieces of
//! work as for one, and so each of them costs a sixtieth.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where nobody waits for it, work that comes in a stream is begun this often at most: each time costs
/// a commit, whatever it carries. What comes alone is begun at once.
pub const PACE: Duration = Duration::from_millis(20);

/// What waits, and how many workers take from it.
///
/// There is no bound here: whoever appends has a request or a message in hand, and those are counted
/// where they are let in.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    workers: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    working: usize,
}

impl<T> Queue<T> {
    /// So many workers at most.
    pub fn new(workers: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            working: 0,
        };
        Self {
            state: Mutex::new(state),
            workers,
        }
    }

    /// Appends. True if the caller has to start a worker, which calls [`Queue::next`] until there is
    /// none.
    #[must_use]
    pub fn append(&self, item: T) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.push_back(item);
        let more = state.working < self.workers;
        state.working += usize::from(more);
        more
    }

    /// The next group, as `gather` takes it from what waits. None ends the worker: it is counted out
    /// under the same lock, so that whoever appends now starts another.
    pub fn next(&self, gather: impl FnOnce(&mut VecDeque<T>) -> Vec<T>) -> Option<Vec<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let group = gather(&mut state.waiting);
        if group.is_empty() {
            state.working -= 1;
            return None;
        }
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(waiting: &mut VecDeque<u8>) -> Vec<u8> {
        waiting.drain(..).collect()
    }

    #[test]
    fn what_comes_while_all_work_waits_for_the_next_of_them() {
        let queue = Queue::new(2);
        assert!(queue.append(1) && queue.append(2), "two may work");
        assert!(!queue.append(3), "and no third");
        assert_eq!(queue.next(all), Some(vec![1, 2, 3]));
        assert!(!queue.append(4));
        assert_eq!(queue.next(all), Some(vec![4]));
        assert_eq!(queue.next(all), None);
        assert!(queue.append(5), "one has gone");
        assert!(!queue.append(6));
    }
}
