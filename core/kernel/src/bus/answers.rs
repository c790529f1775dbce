//! Calls to the broker that it answers at once: one whose line breaks while it is asked may never do so, and
//! whoever waits would wait for ever.

use std::time::Duration;

use tokio::time::timeout;

use super::BusError;
use crate::connectivity::CONNECT_TIMEOUT;

/// Waits for the answer as long as for a connection.
pub(super) async fn answered<T>(
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BusError> {
    within(CONNECT_TIMEOUT, call).await
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BusError> {
    match timeout(limit, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(silence()),
    }
}

pub(super) fn silence() -> BusError {
    BusError::NotTaken("no answer in time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_without_an_answer_ends_in_time() {
        let silence = std::future::pending::<lapin::Result<()>>();
        let ended = within(Duration::from_millis(1), silence).await;
        assert!(matches!(ended, Err(BusError::NotTaken(_))), "{ended:?}");
    }
}
