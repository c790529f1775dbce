//! Waiting for a fact, with a limit.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::clock;

/// Servers are up within this.
pub const START: Duration = Duration::from_secs(60);

/// Looks again this often.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Asks until there is an answer. After `limit` it gives up and says what it waited for.
///
/// # Errors
/// Nothing within the limit, or `look` failed.
pub async fn until<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let begin = clock::instant();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if begin.elapsed() > limit {
            bail!("waited {limit:?} in vain for: {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
