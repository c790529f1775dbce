//! Group commit: work that arrives while a transaction runs shares the next one.
//!
//! Work that arrives alone starts at once. Under load a transaction takes about as long for sixty
//! pieces of work as for one, so each of them costs a sixtieth.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where no caller waits, a stream of work starts at most one transaction in this time: each costs a
/// commit, whatever its size. Work that arrives alone starts at once.
pub const PACE: Duration = Duration::from_millis(20);

/// Waiting work, and how many workers take from it.
///
/// It has no bound: each item is a request or a message, and those are limited where they come in.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    max_workers: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    workers: usize,
}

impl<T> Queue<T> {
    #[must_use]
    pub fn new(max_workers: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            workers: 0,
        };
        Self {
            state: Mutex::new(state),
            max_workers,
        }
    }

    /// Appends an item. If true, the caller has to start a worker, which calls [`Queue::next`] until
    /// it returns none.
    #[must_use]
    pub fn append(&self, item: T) -> bool {
        let mut state = self.lock();
        state.waiting.push_back(item);
        let needs_worker = state.workers < self.max_workers;
        state.workers += usize::from(needs_worker);
        needs_worker
    }

    /// The next group, as `take` removes it from the waiting items. None ends the worker. It is
    /// counted out under the same lock, so that the next append starts another.
    pub fn next(&self, take: impl FnOnce(&mut VecDeque<T>) -> Vec<T>) -> Option<Vec<T>> {
        let mut state = self.lock();
        let group = take(&mut state.waiting);
        if group.is_empty() {
            state.workers -= 1;
            return None;
        }
        Some(group)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(waiting: &mut VecDeque<u8>) -> Vec<u8> {
        waiting.drain(..).collect()
    }

    #[test]
    fn work_that_arrives_meanwhile_shares_the_next_transaction() {
        let queue = Queue::new(2);
        assert!(queue.append(1) && queue.append(2), "two workers may start");
        assert!(!queue.append(3), "but no third");
        assert_eq!(queue.next(all), Some(vec![1, 2, 3]));
        assert!(!queue.append(4));
        assert_eq!(queue.next(all), Some(vec![4]));
        assert_eq!(queue.next(all), None);
        assert!(queue.append(5), "one has ended");
        assert!(!queue.append(6));
    }
}
