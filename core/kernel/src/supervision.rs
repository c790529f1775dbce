//! A panic ends the piece of work that it happens in, and nothing else: that work has failed, and the
//! loop around it goes on. A loop that panics itself is started again after a pause.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::connectivity::Pauses;

/// Work that ended with a panic. The line with its place is written by the hook of
/// [`telemetry`](crate::telemetry).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it panicked: {0}")]
pub(crate) struct Panicked(String);

/// The result of the work. What it shares with others must be good without it: a transaction rolls
/// back, and an election ends with its session.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Panicked(text.unwrap_or_default())
        })
}

/// A loop of a context, which runs until it returns. It is given the token.
pub fn supervised<F>(
    context: &'static str,
    name: &'static str,
    stop: &CancellationToken,
    run: impl Fn(CancellationToken) -> F + Send + Sync + 'static,
) -> BoxFuture<'static, ()>
where
    F: Future<Output = ()> + Send,
{
    let stop = stop.clone();
    Box::pin(async move {
        let mut pauses = Pauses::default();
        while let Err(error) = caught(async { run(stop.clone()).await }).await {
            tracing::error!(code = "process.loop_restarted", context, service = name, %error,
                "a loop panicked and is started again");
            let pause = tokio::time::sleep(pauses.next());
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_result_with_its_message() {
        assert_eq!(caught(async { 1 }).await, Ok(1));
        let (what, times) = ("lost", 2);
        let panicked = caught(async { panic!("{what} {times} times") });
        assert_eq!(
            panicked.await,
            Err::<(), _>(Panicked("lost 2 times".to_owned()))
        );
    }

    #[tokio::test]
    async fn a_loop_that_panics_is_started_again_until_it_returns_or_the_process_stops() {
        let (stop, runs) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let supervise = || {
            let runs = Arc::clone(&runs);
            supervised("order", "consumer", &stop, move |_| {
                let earlier = runs.fetch_add(1, Ordering::SeqCst);
                async move { assert_eq!(earlier, 2, "it panics twice") }
            })
        };
        supervise().await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        stop.cancel();
        supervise().await;
        assert_eq!(runs.load(Ordering::SeqCst), 4);
    }
}
