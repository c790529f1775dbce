//! Work that many want at the same moment is done once, for all of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::AbortHandle;

/// With more keys than this, those whose work is over are forgotten.
const MAX_KEYS: usize = 1_024;

/// One piece of work for each key.
#[derive(Debug)]
pub struct SingleFlight<K, T: Clone> {
    good_for: TimeDelta,
    newest: Mutex<HashMap<K, Flight<T>>>,
}

/// Everybody who joined gets the same result.
pub type Joined<T> = Shared<BoxFuture<'static, Result<T, Broke>>>;

/// The work panicked, or was dropped at the end of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work broke")]
pub struct Broke;

#[derive(Debug)]
struct Flight<T: Clone> {
    began: DateTime<Utc>,
    running: AbortHandle,
    result: Joined<T>,
}

impl<K: Eq + Hash, T: Clone + Send + Sync + 'static> SingleFlight<K, T> {
    /// A result is given again for so long, counted from its beginning; of zero only while the work runs.
    #[must_use]
    pub fn new(good_for: TimeDelta) -> Self {
        Self {
            good_for,
            newest: Mutex::default(),
        }
    }

    /// The result of work that runs, or began a moment ago, or begins now. It runs to its end, whoever stops
    /// waiting for it.
    ///
    /// # Errors
    /// What `work` says: it can't begin now.
    pub fn join<F, E>(
        &self,
        key: K,
        now: DateTime<Utc>,
        work: impl FnOnce() -> Result<F, E>,
    ) -> Result<Joined<T>, E>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let is_known = |flight: &Flight<T>| {
            !flight.running.is_finished() || now - flight.began < self.good_for
        };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = newest.get(&key).filter(|flight| is_known(flight)) {
            return Ok(known.result.clone());
        }
        let task = tokio::spawn(work()?);
        let running = task.abort_handle();
        let result = async move { task.await.map_err(|_| Broke) }
            .boxed()
            .shared();
        if newest.len() >= MAX_KEYS {
            newest.retain(|_, flight| is_known(flight));
        }
        let flight = Flight {
            began: now,
            running,
            result: result.clone(),
        };
        newest.insert(key, flight);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Work that ends when the test lets it, with its number.
    #[derive(Clone)]
    struct Work {
        begun: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
    }

    impl Work {
        fn new() -> Self {
            Self {
                begun: Arc::default(),
                gate: Arc::new(Semaphore::new(0)),
            }
        }

        fn begin(&self) -> Result<impl Future<Output = usize> + Send + 'static, Infallible> {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let gate = Arc::clone(&self.gate);
            Ok(async move {
                gate.acquire().await.unwrap().forget();
                number
            })
        }
    }

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    /// S4, S15
    #[tokio::test]
    async fn however_many_ask_it_is_done_once_and_again_when_it_is_old() {
        let (flights, work) = (SingleFlight::new(TimeDelta::seconds(1)), Work::new());
        let ask = |ms| flights.join((), at(ms), || work.begin()).unwrap();
        // What takes long is not begun again meanwhile, and ends for those who still wait.
        let mut slow: Vec<_> = (0..50).map(|second| ask(second * 1_000)).collect();
        slow.truncate(25);
        work.gate.add_permits(1);
        assert_eq!(join_all(slow).await, [Ok(1); 25]);
        assert_eq!(ask(999).await, Ok(1));
        work.gate.add_permits(1);
        assert_eq!(ask(1_000).await, Ok(2));
    }

    #[tokio::test]
    async fn of_no_time_a_result_is_for_those_alone_who_waited_for_it() {
        let (flights, work) = (SingleFlight::new(TimeDelta::zero()), Work::new());
        let ask = |key| flights.join(key, at(0), || work.begin()).unwrap();
        let (one, two, other) = (ask("ada"), ask("ada"), ask("bob"));
        work.gate.add_permits(3);
        assert_eq!((one.await, two.await, other.await), (Ok(1), Ok(1), Ok(2)));
        assert_eq!(ask("ada").await, Ok(3));
    }

    #[tokio::test]
    async fn what_nobody_waited_for_to_its_end_is_old_all_the_same() {
        let (flights, work) = (SingleFlight::new(TimeDelta::seconds(1)), Work::new());
        work.gate.add_permits(2);
        drop(flights.join((), at(0), || work.begin()).unwrap());
        while !flights.newest.lock().unwrap()[&()].running.is_finished() {
            tokio::task::yield_now().await;
        }
        let later = flights.join((), at(60_000), || work.begin()).unwrap();
        assert_eq!(later.await, Ok(2));
    }

    #[tokio::test]
    async fn a_panic_is_everybodys_and_the_next_begins_anew() {
        let flights = SingleFlight::new(TimeDelta::zero());
        let panics = || Ok::<_, Infallible>(async { panic!("a bug") });
        let broken: Joined<()> = flights.join((), at(0), panics).unwrap();
        assert_eq!(broken.await, Err(Broke));
        let fine = || Ok::<_, Infallible>(async {});
        assert_eq!(flights.join((), at(0), fine).unwrap().await, Ok(()));
    }

    #[tokio::test]
    async fn keys_whose_work_is_over_are_forgotten() {
        let flights = SingleFlight::new(TimeDelta::zero());
        for key in 0..3 * MAX_KEYS {
            let fine = || Ok::<_, Infallible>(async {});
            assert_eq!(flights.join(key, at(0), fine).unwrap().await, Ok(()));
        }
        assert!(flights.newest.lock().unwrap().len() <= MAX_KEYS);
    }
}
