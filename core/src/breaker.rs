//! Circuit breakers, timeouts and retries around the synchronous calls (blueprint, "Circuit
//! Breakers"; CONTRACT 30). The event flow needs none: it has its retry queues.
//!
//! Only an outage counts (timeout, fault, slow call); a refusal is an answer. The attempt runs in
//! a task of its own: whoever stops waiting doesn't drop work half done.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tower::util::{ServiceExt, ServiceFn, service_fn};
use tower_resilience::circuitbreaker::{
    CircuitBreaker, CircuitBreakerError, CircuitBreakerLayer, CircuitState, DefaultClassifier,
};

use crate::clock::Clock;

/// The core's breakers, one for each synchronous call between its parts and to the outside.
#[derive(Debug)]
pub struct Breakers {
    /// Reservation → inventory.
    pub rsv_inventory: Breaker,
    /// Order → payment.
    pub ord_payment: Breaker,
    /// Payment → payment service provider.
    pub pay_psp: Breaker,
}

impl Default for Breakers {
    fn default() -> Self {
        Self {
            rsv_inventory: Breaker::new(&RSV_INVENTORY),
            ord_payment: Breaker::new(&ORD_PAYMENT),
            pay_psp: Breaker::new(&PAY_PSP),
        }
    }
}

/// The figures of one breaker.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// As in logs and metrics.
    pub name: &'static str,
    /// Of one attempt, in milliseconds.
    pub timeout_ms: u64,
    /// Pauses before further attempts, in milliseconds, ± 20 %.
    pub retries_ms: &'static [u64],
    /// Calls that are judged, and the fewest that are.
    pub window: usize,
    /// Share of outages that opens it.
    pub failure_rate: f64,
    /// A call is slow from here on, in milliseconds.
    pub slow_ms: u64,
    /// Share of slow calls that opens it.
    pub slow_rate: f64,
    /// How long it stays open, in milliseconds.
    pub open_ms: u64,
    /// Calls let through on trial afterwards.
    pub trial_calls: usize,
}

/// Reservation → inventory.
pub const RSV_INVENTORY: Rules = Rules {
    name: "rsv_inventory",
    timeout_ms: 300,
    retries_ms: &[50, 150],
    window: 20,
    failure_rate: 0.5,
    slow_ms: 250,
    slow_rate: 0.7,
    open_ms: 10_000,
    trial_calls: 5,
};

/// Order → payment. The fallback is the order's status `processing`.
pub const ORD_PAYMENT: Rules = Rules {
    name: "ord_payment",
    timeout_ms: 1_000,
    retries_ms: &[],
    window: 50,
    failure_rate: 0.3,
    slow_ms: 800,
    slow_rate: 1.0,
    open_ms: 30_000,
    trial_calls: 10,
};

/// Payment → provider. The fallback is webhooks and reconciliation.
pub const PAY_PSP: Rules = Rules {
    name: "pay_psp",
    timeout_ms: 2_000,
    retries_ms: &[200, 800],
    window: 50,
    failure_rate: 0.25,
    slow_ms: 2_000,
    slow_rate: 1.0,
    open_ms: 45_000,
    trial_calls: 10,
};

/// Jitter of the pauses, as a share of them.
const JITTER: f64 = 0.2;

/// Which errors say that the other side is out of order.
pub trait Outage {
    /// Whether this is a fault; false for a refusal, which is an answer.
    fn is_outage(&self) -> bool;
}

/// Why a call gave nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// The breaker is open: nothing was tried.
    #[error("{0}: not tried, the breaker is open")]
    Open(&'static str),
    /// No answer in time, the last attempt's included; the work may still be done.
    #[error("{0}: no answer in time")]
    TimedOut(&'static str),
    /// The other side's own word: a refusal, or its last fault.
    #[error(transparent)]
    Failed(E),
}

type Attempt = BoxFuture<'static, Result<(), ()>>;
type Gate = CircuitBreaker<ServiceFn<fn(Attempt) -> Attempt>, DefaultClassifier>;

/// One breaker.
#[derive(Clone)]
pub struct Breaker {
    rules: Rules,
    gate: Gate,
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breaker")
            .field("name", &self.rules.name)
            .field("state", &self.gate.state_sync())
            .finish()
    }
}

impl Breaker {
    /// A closed breaker.
    ///
    /// # Panics
    /// When the figures make no sense; they are constants, and a test builds them all.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        let layer = CircuitBreakerLayer::builder()
            .name(rules.name)
            // The library judges a full window only, so the window is the fewest calls.
            .sliding_window_size(rules.window)
            .minimum_number_of_calls(rules.window)
            .failure_rate_threshold(rules.failure_rate)
            .slow_call_duration_threshold(Duration::from_millis(rules.slow_ms))
            .slow_call_rate_threshold(rules.slow_rate)
            .wait_duration_in_open(Duration::from_millis(rules.open_ms))
            .permitted_calls_in_half_open(rules.trial_calls)
            .build()
            .expect("the figures are constants that a test builds");
        let run: fn(Attempt) -> Attempt = |attempt| attempt;
        Self {
            rules: *rules,
            gate: layer.layer_fn(service_fn(run)),
        }
    }

    /// Whether calls are turned away.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gate.state_sync() == CircuitState::Open
    }

    /// Calls, and after an outage calls again as often as the figures allow. What is called must
    /// be idempotent.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<T, E, F, Fut>(&self, clock: &Clock, attempt: F) -> Result<T, CallError<E>>
    where
        T: Send + 'static,
        E: Outage + Send + 'static,
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut pauses = self.rules.retries_ms.iter();
        loop {
            let error = match self.try_once(attempt()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = match &error {
                CallError::Open(_) => false,
                CallError::TimedOut(_) => true,
                CallError::Failed(error) => error.is_outage(),
            };
            let Some(pause) = pauses.next().filter(|_| again) else {
                return Err(error);
            };
            let stretch = 1.0 + JITTER * (2.0 * clock.jitter() - 1.0);
            tokio::time::sleep(Duration::from_millis(*pause).mul_f64(stretch)).await;
        }
    }

    async fn try_once<T, E, Fut>(&self, work: Fut) -> Result<T, CallError<E>>
    where
        T: Send + 'static,
        E: Outage + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (name, timeout) = (
            self.rules.name,
            Duration::from_millis(self.rules.timeout_ms),
        );
        let (answer, answered) = tokio::sync::oneshot::channel();
        let work = tokio::spawn(tracing::Instrument::in_current_span(work));
        let attempt = async move {
            let result = match tokio::time::timeout(timeout, work).await {
                Ok(Ok(Ok(value))) => Ok(value),
                Ok(Ok(Err(error))) => Err(CallError::Failed(error)),
                // A panic is logged by the runtime; to the caller it is a call without an answer.
                Ok(Err(_)) | Err(_) => Err(CallError::TimedOut(name)),
            };
            let counted = match &result {
                Ok(_) => Ok(()),
                Err(CallError::Failed(error)) if !error.is_outage() => Ok(()),
                Err(_) => Err(()),
            };
            // Nobody listens any more when the caller has gone; then the answer has no use.
            let _unheard = answer.send(result);
            counted
        };
        match self.gate.clone().oneshot(attempt.boxed()).await {
            Err(CircuitBreakerError::OpenCircuit) => Err(CallError::Open(name)),
            Ok(()) | Err(CircuitBreakerError::Inner(())) => {
                answered.await.unwrap_or(Err(CallError::TimedOut(name)))
            }
        }
    }
}
