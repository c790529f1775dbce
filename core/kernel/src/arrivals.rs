//! Requests that wait a moment for what another part of the core is about to commit: an order after its cart
//! was confirmed, an intent after its order.
//!
//! They are notified by the transaction that commits it ([`Tx::arrived`](crate::db::Tx::arrived)). It may
//! commit in another process, so they also look by themselves, less and less often. A caller waits with few
//! requests at once; the others are answered with what is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// Requests of one caller that wait at once, in a process.
const AT_ONCE_PER_CALLER: usize = 3;
/// The first look without a notification comes after this, each further one after twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(40);

/// Cheap to clone; clones share who waits.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// By what they wait for.
    bells: HashMap<Uuid, watch::Sender<()>>,
    callers: HashMap<Uuid, usize>,
}

/// One waiting request.
#[derive(Debug)]
struct Place {
    arrivals: Arrivals,
    caller: Uuid,
    what: Uuid,
}

impl Arrivals {
    /// Something with this id was committed.
    pub fn arrived(&self, what: Uuid) {
        if let Some(bell) = self.lock().bells.get(&what) {
            bell.send_replace(());
        }
    }

    /// Looks for what a caller waits for, until it is there or `patience` is over; then, or for a caller who
    /// waits with too many requests, the last look counts.
    ///
    /// # Errors
    /// Of a look.
    pub async fn wait<T, E, F>(
        &self,
        (caller, what): (Uuid, Uuid),
        patience: Duration,
        look: impl Fn() -> F,
    ) -> Result<Option<T>, E>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        self.wait_looking((caller, what), (patience, FIRST_PAUSE), look)
            .await
    }

    async fn wait_looking<T, E, F>(
        &self,
        (caller, what): (Uuid, Uuid),
        (patience, mut pause): (Duration, Duration),
        look: impl Fn() -> F,
    ) -> Result<Option<T>, E>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        let Some((_place, mut bell)) = self.enter(caller, what) else {
            return Ok(None);
        };
        let end = Instant::now() + patience;
        loop {
            // Before the pause: what was committed since the last look is found, or rings later.
            if let Some(found) = look().await? {
                return Ok(Some(found));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            let next = (Instant::now() + pause).min(end);
            let _rung_or_late = timeout_at(next, bell.changed()).await;
            pause *= 2;
        }
    }

    fn enter(&self, caller: Uuid, what: Uuid) -> Option<(Place, watch::Receiver<()>)> {
        let mut waiting = self.lock();
        let of_caller = waiting.callers.entry(caller).or_default();
        if *of_caller >= AT_ONCE_PER_CALLER {
            return None;
        }
        *of_caller += 1;
        let bell = waiting.bells.entry(what);
        let bell = bell.or_insert_with(|| watch::Sender::new(())).subscribe();
        let place = Place {
            arrivals: self.clone(),
            caller,
            what,
        };
        Some((place, bell))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.arrivals.lock();
        if let Some(of_caller) = waiting.callers.get_mut(&self.caller) {
            *of_caller -= 1;
            if *of_caller == 0 {
                waiting.callers.remove(&self.caller);
            }
        }
        // The receiver of this request goes a moment before or after: one that is left is the last.
        let is_last = waiting
            .bells
            .get(&self.what)
            .is_some_and(|bell| bell.receiver_count() <= 1);
        if is_last {
            waiting.bells.remove(&self.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);
    const ORDER: Uuid = Uuid::from_u128(9);

    /// What is waited for, with a count of the looks.
    #[derive(Default)]
    struct Row {
        is_there: AtomicBool,
        looks: AtomicUsize,
    }

    impl Row {
        fn look(&self) -> Ready<Result<Option<()>, Infallible>> {
            self.looks.fetch_add(1, Ordering::SeqCst);
            ready(Ok(self.is_there.load(Ordering::SeqCst).then_some(())))
        }

        async fn looked(&self, times: usize) {
            while self.looks.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        }
    }

    /// S8
    #[tokio::test]
    async fn who_waits_is_told() {
        let (arrivals, row) = (Arrivals::default(), Row::default());
        let waiting = arrivals.wait_looking((ADA, ORDER), (LONG, LONG), || row.look());
        let arriving = async {
            row.looked(2).await;
            row.is_there.store(true, Ordering::SeqCst);
            arrivals.arrived(ORDER);
        };
        let both = async { tokio::join!(waiting, arriving).0 };
        let found = tokio::time::timeout(LONG / 2, both).await;
        assert_eq!(found, Ok(Ok(Some(()))));
        assert_eq!(row.looks.load(Ordering::SeqCst), 3);
        assert!(arrivals.lock().bells.is_empty() && arrivals.lock().callers.is_empty());
    }

    #[tokio::test]
    async fn what_another_process_commits_is_found_without_a_word() {
        let (arrivals, row) = (Arrivals::default(), Row::default());
        let waiting = arrivals.wait((ADA, ORDER), LONG, || row.look());
        let arriving = async {
            row.looked(2).await;
            row.is_there.store(true, Ordering::SeqCst);
        };
        let (found, ()) = tokio::join!(waiting, arriving);
        assert_eq!(found, Ok(Some(())));
    }

    #[tokio::test]
    async fn a_wait_ends_and_costs_few_looks() {
        let (arrivals, row) = (Arrivals::default(), Row::default());
        let (began, patience) = (Instant::now(), Duration::from_millis(600));
        let found = arrivals.wait((ADA, ORDER), patience, || row.look());
        assert_eq!(found.await, Ok(None));
        assert!(began.elapsed() >= patience);
        let looks = row.looks.load(Ordering::SeqCst);
        assert!((3..=8).contains(&looks), "{looks}, and not 60");
    }

    /// S8
    #[tokio::test]
    async fn a_caller_waits_with_few_requests_and_keeps_nobody_else_from_waiting() {
        let (arrivals, row) = (Arrivals::default(), Row::default());
        let enter = |caller, number| arrivals.enter(caller, Uuid::from_u128(number));
        let held: Vec<_> = (0..3).map(|number| enter(ADA, number).unwrap()).collect();
        let beyond = arrivals.wait((ADA, ORDER), LONG, || row.look());
        let at_once = tokio::time::timeout(LONG / 2, beyond).await;
        assert_eq!(at_once, Ok(Ok(None)));
        assert_eq!(row.looks.load(Ordering::SeqCst), 1);
        drop(enter(BOB, 9).unwrap());
        drop(held);
        assert!(enter(ADA, 9).is_some());
    }
}
