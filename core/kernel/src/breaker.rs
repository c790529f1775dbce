//! Circuit breakers around synchronous calls (blueprint, "Circuit Breakers"; DECISIONS 30). The caller
//! owns the breaker and its limits.
//!
//! A call runs in a task of its own: when the caller's timeout passes, the callee still finishes
//! what it began (within a hundred of these timeouts), and the next try with the same idempotency key finds it done. Only timeouts,
//! faults and slow calls count against the callee; a refusal ("no stock") is an answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tower::{Service, ServiceExt, service_fn};
use tower_resilience::circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};
use tracing::Instrument;

use crate::clock::Clock;
use crate::db::DbError;

/// A call that has run for so many of its timeouts waits for what never comes, such as a server that
/// is gone. It is dropped, for it holds a turn; what it had begun in a transaction is rolled back.
const LONGEST_CALL: u32 = 100;

/// A running call; its result says whether it counts as failed.
type Call = BoxFuture<'static, Result<(), Counted>>;
type Guard = tower::util::BoxCloneSyncService<Call, (), CircuitBreakerError<Counted>>;

/// Marks a call as failed in the breaker's window.
#[derive(Clone, Copy, Debug)]
struct Counted;

/// What a breaker watches for. The window is as long as its minimum of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// For logs and metrics.
    pub name: &'static str,
    /// Longest wait for one attempt.
    pub timeout: Duration,
    /// Pauses before the second and third attempt, ± 20 %.
    pub pauses: &'static [Duration],
    /// Calls in the window.
    pub window: usize,
    /// Share of failed calls that opens it.
    pub failure_rate: f64,
    /// What counts as slow.
    pub slow_after: Duration,
    /// Share of slow calls that opens it.
    pub slow_rate: f64,
    /// How long it stays open.
    pub open_for: Duration,
    /// Calls let through to try again.
    pub half_open_calls: usize,
    /// Calls on their way at once. The others wait for their turn outside of the breaker: a rush of
    /// callers is no fault of the callee, and must not open it.
    pub at_once: usize,
    /// Longest wait for a turn.
    pub queue_for: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The breaker is open, or too many calls wait for their turn: the call was not made.
    #[error("not asked: the breaker is open, or the queue too long")]
    Open,
    /// No answer in time; the call may still have its effect.
    #[error("no answer in time")]
    TimedOut,
    /// The callee broke down.
    #[error("the call broke: {0}")]
    Broke(JoinError),
    /// The callee's own error.
    #[error(transparent)]
    Callee(E),
}

/// Whether a callee's error is its fault or its answer.
pub trait IsFault {
    /// A transport error, a 5xx, a lost connection: worth another attempt and counted. A refusal
    /// is neither.
    fn is_fault(&self) -> bool;
}

impl IsFault for DbError {
    fn is_fault(&self) -> bool {
        self.is_databases_fault()
    }
}

/// One breaker. Cheap to clone; clones share the state.
#[derive(Clone)]
pub struct Breaker {
    limits: Limits,
    clock: Clock,
    guard: Arc<Guard>,
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Breaker({})", self.limits.name)
    }
}

impl Breaker {
    /// Closed.
    ///
    /// # Errors
    /// Limits that the library refuses.
    pub fn new(limits: Limits, clock: Clock) -> anyhow::Result<Self> {
        let name = limits.name;
        let layer = CircuitBreakerLayer::builder()
            .name(name)
            .sliding_window_size(limits.window)
            .minimum_number_of_calls(limits.window)
            .failure_rate_threshold(limits.failure_rate)
            .slow_call_duration_threshold(limits.slow_after)
            .slow_call_rate_threshold(limits.slow_rate)
            .wait_duration_in_open(limits.open_for)
            .permitted_calls_in_half_open(limits.half_open_calls)
            .on_state_transition(move |from, to| {
                tracing::warn!(
                    code = "breaker.changed",
                    breaker = name,
                    ?from,
                    ?to,
                    "a circuit breaker changed its state"
                );
            })
            .build()?;
        let service = tower::Layer::layer(&layer, service_fn(|call: Call| call));
        Ok(Self {
            limits,
            clock,
            guard: Arc::new(Guard::new(service)),
            turns: Arc::new(Semaphore::new(limits.at_once)),
        })
    }

    /// Calls, with timeout and further attempts. `call` is made once an attempt, each in a task of
    /// its own that runs to its end; all attempts must carry the same idempotency key.
    ///
    /// # Errors
    /// [`CallError`]; a callee's refusal comes at once, as [`CallError::Callee`].
    pub async fn call<T, E, F>(&self, call: impl Fn() -> F) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: IsFault + Send + 'static,
    {
        let mut pauses = self.limits.pauses.iter();
        loop {
            let outcome = self.attempt(call()).await;
            let again = match &outcome {
                Ok(_) | Err(CallError::Open) => false,
                Err(CallError::TimedOut | CallError::Broke(_)) => true,
                Err(CallError::Callee(error)) => error.is_fault(),
            };
            match pauses.next() {
                Some(pause) if again => {
                    let jitter = 0.8 + 0.4 * self.clock.jitter();
                    tokio::time::sleep(pause.mul_f64(jitter)).await;
                }
                Some(_) | None => return outcome,
            }
        }
    }

    async fn attempt<T, E, F>(&self, call: F) -> Result<T, CallError<E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: IsFault + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout(self.limits.queue_for, turn).await else {
            return Err(CallError::Open);
        };
        let (answer, answered) = tokio::sync::oneshot::channel();
        let timeout = self.limits.timeout;
        let counted: Call = Box::pin(async move {
            // The turn ends with the work, not with the waiting for it.
            let task = tokio::spawn(
                async move {
                    let result = tokio::time::timeout(timeout * LONGEST_CALL, call).await;
                    drop(turn);
                    result
                }
                .in_current_span(),
            );
            let outcome = match tokio::time::timeout(timeout, task).await {
                Err(_) | Ok(Ok(Err(_))) => Err(CallError::TimedOut),
                Ok(Err(broke)) => Err(CallError::Broke(broke)),
                Ok(Ok(Ok(result))) => result.map_err(CallError::Callee),
            };
            let failed = match &outcome {
                Ok(_) | Err(CallError::Open) => false,
                Err(CallError::TimedOut | CallError::Broke(_)) => true,
                Err(CallError::Callee(error)) => error.is_fault(),
            };
            // The caller may have gone; the breaker counts all the same.
            let _gone = answer.send(outcome);
            if failed { Err(Counted) } else { Ok(()) }
        });
        let mut guard = Guard::clone(&self.guard);
        let _counted = match guard.ready().await {
            Ok(ready) => ready.call(counted).await,
            Err(error) => Err(error),
        };
        answered.await.unwrap_or(Err(CallError::Open))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Refusal {
        OutOfStock,
        Down,
    }

    impl IsFault for Refusal {
        fn is_fault(&self) -> bool {
            *self == Self::Down
        }
    }

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    const QUICK: Limits = Limits {
        name: "test",
        timeout: ms(20),
        pauses: &[ms(1), ms(1)],
        window: 6,
        failure_rate: 0.5,
        slow_after: ms(250),
        slow_rate: 0.7,
        open_for: ms(60_000),
        half_open_calls: 5,
        at_once: 4,
        queue_for: ms(3_000),
    };

    fn breaker() -> Breaker {
        Breaker::new(QUICK, Clock::system()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_is_an_answer_and_opens_nothing() {
        let breaker = breaker();
        let asked = Arc::new(AtomicUsize::new(0));
        for _ in 0..50 {
            let counter = asked.clone();
            let outcome = breaker
                .call(move || {
                    let counter = counter.clone();
                    async move {
                        counter.fetch_add(1, Ordering::SeqCst);
                        Err::<(), _>(Refusal::OutOfStock)
                    }
                })
                .await;
            assert!(matches!(
                outcome,
                Err(CallError::Callee(Refusal::OutOfStock))
            ));
        }
        assert_eq!(
            asked.load(Ordering::SeqCst),
            50,
            "a refusal is not asked again"
        );
    }

    #[tokio::test]
    async fn faults_are_tried_again_and_then_open_it() {
        let breaker = breaker();
        let asked = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let counter = asked.clone();
            breaker.call(move || {
                let counter = counter.clone();
                async move {
                    counter.fetch_add(1, Ordering::SeqCst);
                    Err::<(), _>(Refusal::Down)
                }
            })
        };
        assert!(matches!(ask().await, Err(CallError::Callee(Refusal::Down))));
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert!(matches!(ask().await, Err(CallError::Callee(Refusal::Down))));
        assert_eq!(asked.load(Ordering::SeqCst), 6);
        assert!(matches!(ask().await, Err(CallError::Open)));
        assert_eq!(
            asked.load(Ordering::SeqCst),
            6,
            "an open breaker makes no call"
        );
    }

    #[tokio::test]
    async fn a_timeout_leaves_the_callee_at_its_work() {
        let breaker = Breaker::new(
            Limits {
                pauses: &[],
                ..QUICK
            },
            Clock::system(),
        )
        .unwrap();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let (done, finished) = tokio::sync::oneshot::channel::<()>();
        let parts = std::sync::Mutex::new(Some((wait, done)));
        let outcome = breaker
            .call(|| {
                let (wait, done) = parts.lock().unwrap().take().unwrap();
                async move {
                    wait.await.unwrap();
                    done.send(()).unwrap();
                    Ok::<_, Refusal>(())
                }
            })
            .await;
        assert!(matches!(outcome, Err(CallError::TimedOut)));
        go.send(()).unwrap();
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn a_callee_that_never_ends_gives_its_turn_back() {
        let one_at_once = Limits {
            pauses: &[],
            at_once: 1,
            queue_for: ms(60_000),
            ..QUICK
        };
        let breaker = Breaker::new(one_at_once, Clock::system()).unwrap();
        let endless = breaker.call(std::future::pending::<Result<(), Refusal>>);
        assert!(matches!(endless.await, Err(CallError::TimedOut)));
        let next = breaker.call(|| async { Ok::<_, Refusal>("done") });
        assert_eq!(next.await.unwrap(), "done");
    }

    #[tokio::test]
    async fn a_rush_waits_its_turn_and_opens_nothing() {
        let rush = Limits {
            timeout: ms(1_000),
            slow_after: ms(500),
            at_once: 2,
            queue_for: ms(60_000),
            ..QUICK
        };
        let breaker = Breaker::new(rush, Clock::system()).unwrap();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let calls = (0..40).map(|_| {
            let (breaker, running, most) = (breaker.clone(), running.clone(), most.clone());
            async move {
                let work = || {
                    let (running, most) = (running.clone(), most.clone());
                    async move {
                        most.fetch_max(
                            running.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        tokio::task::yield_now().await;
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok::<_, Refusal>(())
                    }
                };
                breaker.call(work).await
            }
        });
        for outcome in futures_util::future::join_all(calls).await {
            outcome.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
