//! Waiting for a condition, with a timeout.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::clock;

/// The longest time that a program of the product takes to start.
pub const START: Duration = Duration::from_secs(60);

/// Between two checks of a condition.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Calls `check` until it returns something.
///
/// # Errors
/// `check` failed, or returned nothing within the limit.
pub async fn until<T, F>(what: &str, limit: Duration, mut check: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let begin = clock::instant();
    loop {
        if let Some(found) = check().await? {
            return Ok(found);
        }
        if begin.elapsed() > limit {
            bail!("waited {limit:?} without success for: {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
